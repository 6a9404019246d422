from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

from .base import find_program
from .base import free_port
from .base import Proxy
from .postgresql import PrimaryServer
from .postgresql import StandbyServer


class Pgpool(Proxy):
    """The installed Pgpool in front of a primary and a standby.

    It sends what may write to the primary, and of what only reads the half of all
    sessions to the standby.
    """

    label = "Pgpool"
    program = "pgpool"
    # The "fast" shutdown: it doesn't wait for clients to go.
    stop_signal = signal.SIGINT

    def __init__(self, primary: PrimaryServer, standby: StandbyServer) -> None:
        super().__init__(primary)
        self._servers = [primary, standby]

    def _initialize(self) -> None:
        settings: dict[str, object] = {
            "backend_clustering_mode": "streaming_replication",
            "listen_addresses": self.host,
            "port": self.port,
            "pcp_port": free_port(),
            "socket_dir": self.directory,
            "pcp_socket_dir": self.directory,
            "logdir": self.directory,
            "pid_file_name": self.directory / "pid",
            # Tells which of the servers is the primary.
            "sr_check_user": "postgres",
            "load_balance_mode": "on",
        }

        for number, server in enumerate(self._servers):
            settings |= {
                f"backend_hostname{number}": server.host,
                f"backend_port{number}": server.port,
                f"backend_weight{number}": 1,
            }

        self._file = self._write(
            "pgpool.conf", *(f"{name} = '{value}'" for name, value in settings.items())
        )
        self._others = [self._write(name) for name in ("pcp.conf", "pool_hba.conf")]

    def _command(self) -> Sequence[str | Path]:
        pcp, hba = self._others
        # In the foreground, without what it knows of an earlier run.
        options: list[str | Path] = ["-n", "-D", "-f", self._file, "-F", pcp, "-a", hba]
        return [find_program(self.program) or "", *options]

    def _ask(self) -> None:
        import psycopg2

        connection = psycopg2.connect(
            host=self.host, port=self.port, user="postgres", dbname="postgres"
        )

        try:
            with connection.cursor() as cursor:
                cursor.execute("SHOW pool_nodes")
                names = [column.name for column in cursor.description or ()]
                roles = [row[names.index("role")] for row in cursor.fetchall()]
        finally:
            connection.close()

        # For some moments it takes all for standbys.
        assert roles == ["primary", "standby"], roles
