from __future__ import annotations

import importlib.util
import signal
import socket
import time
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import ExitStack
from contextlib import suppress
from pathlib import Path
from typing import Any
from typing import ClassVar
from typing import Self

from .base import find_program
from .base import free_port
from .base import PASSWORD
from .base import Server
from .base import USER


def _options(settings: Mapping[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in settings.items()]


class MariaDBServer(Server):
    """The installed MariaDB server.

    ``tester`` needs its password and may do everything in the databases whose name
    starts with ``test_``; ``root`` is reached through the Unix socket only.
    """

    label = "MariaDB"
    stop_signal = signal.SIGTERM

    _storage: ClassVar[dict[str, object]] = {
        "innodb-buffer-pool-size": "64M",
        "innodb-doublewrite": 0,
        "innodb-flush-log-at-trx-commit": 0,
        "innodb-flush-method": "nosync",
        "innodb-log-file-size": "8M",
        # What the kernel has of it is shared by all servers of the machine.
        "innodb-use-native-aio": 0,
    }
    _settings: ClassVar[dict[str, object]] = {
        **_storage,
        "bind-address": "127.0.0.1",
        "character-set-server": "utf8mb4",
        "max-connections": 200,
        "skip-name-resolve": 1,
        "sync-frm": 0,
    }

    @classmethod
    def missing(cls) -> str | None:
        for program in "mariadbd", "mariadb-install-db":
            if find_program(program) is None:
                return f"MariaDB: '{program}' is not installed."

        if importlib.util.find_spec("pymysql") is None:
            return "MariaDB: 'pymysql' is not installed."

        return None

    def execute(self, statement: str, *params: object) -> list[tuple[Any, ...]]:
        import pymysql

        # Loading the certificates for TLS would take most of each call's time.
        connection = pymysql.connect(
            user="root", autocommit=True, ssl_disabled=True, defer_connect=True
        )

        # PyMySQL leaves a Unix socket open that it couldn't connect.
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(self._socket))
            connection.connect(sock)

            with connection, connection.cursor() as cursor:
                # A lock that a test left behind must not hang the run.
                cursor.execute("SET SESSION lock_wait_timeout = 10")
                cursor.execute(statement, params or None)
                return list(cursor.fetchall())

    def create_database(self, name: str) -> None:
        self.execute(f"CREATE DATABASE `{name}`")

    def drop_database(self, name: str) -> None:
        import pymysql

        for (thread,) in self.execute(
            "SELECT id FROM information_schema.processlist WHERE db = %s", name
        ):
            # It may be gone by now.
            with suppress(pymysql.err.OperationalError):
                self.execute(f"KILL {thread}")

        self.execute(f"DROP DATABASE IF EXISTS `{name}`")

    def database_names(self) -> set[str]:
        return {name for (name,) in self.execute("SHOW DATABASES")}

    def connections(self, database: str) -> list[str]:
        rows = self.execute(
            "SELECT concat_ws(' ', id, command, state, info)"
            " FROM information_schema.processlist WHERE db = %s",
            database,
        )
        return [text for (text,) in rows]

    @property
    def _socket(self) -> Path:
        return self.directory / "socket"

    @property
    def _own_tmpdir(self) -> Path:
        """A server that starts removes the temporary tables of all others from it."""
        return self.directory

    def _initialize(self) -> None:
        self._run(
            find_program("mariadb-install-db") or "",
            "--no-defaults",
            f"--datadir={self.directory / 'data'}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            f"--tmpdir={self._own_tmpdir}",
            # A log of 96 MB is made otherwise.
            *_options(self._storage),
        )

    def _command(self) -> Sequence[str | Path]:
        settings = {
            **self._settings,
            "datadir": self.directory / "data",
            "pid-file": self.directory / "pid",
            "port": self.port,
            "socket": self._socket,
            "tmpdir": self._own_tmpdir,
        }
        return [find_program("mariadbd") or "", "--no-defaults", *_options(settings)]

    def _set_up(self) -> None:
        self.execute(f"CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY %s", PASSWORD)

        for pattern in (r"test\_%", r"async\_alembic\_scratch\_%"):
            self.execute(f"GRANT ALL ON `{pattern}`.* TO {USER}@'127.0.0.1'")


class GaleraServer(MariaDBServer):
    """A node of a cluster.

    :param first: The node whose cluster it joins. Without one it is the first.
    """

    label = "Galera"
    _provider = Path("/usr/lib/galera/libgalera_smm.so")

    def __init__(self, first: GaleraServer | None = None) -> None:
        super().__init__()
        self._first = first
        self._cluster_port = free_port()
        self._options = {
            "gcache.size": "16M",
            "gmcast.listen_addr": f"tcp://{self.host}:{self._cluster_port}",
            "ist.recv_addr": f"{self.host}:{free_port()}",
            # Restores no cluster that has ended.
            "pc.recovery": "no",
        }

    @classmethod
    def missing(cls) -> str | None:
        if not cls._provider.exists():
            return f"Galera: '{cls._provider}' is not installed."

        if find_program("rsync") is None:
            return "Galera: 'rsync' is not installed."

        return super().missing()

    @property
    def _own_tmpdir(self) -> Path:
        """A server that starts removes the temporary tables of all others from it."""
        return self.directory

    def _initialize(self) -> None:
        # Whoever joins gets all of it from another node.
        if self._first is None:
            super()._initialize()
        else:
            self._run("mkdir", self.directory / "data")

    def _set_up(self) -> None:
        if self._first is None:
            super()._set_up()

    def _command(self) -> Sequence[str | Path]:
        peer = f"{self.host}:{self._first._cluster_port}" if self._first else ""
        provider_options = (f"{name}={value}" for name, value in self._options.items())
        settings = {
            "binlog-format": "ROW",
            "innodb-autoinc-lock-mode": 2,
            "wsrep-cluster-address": f"gcomm://{peer}",
            "wsrep-node-address": self.host,
            "wsrep-on": "ON",
            "wsrep-provider": self._provider,
            "wsrep-provider-options": ";".join(provider_options),
            "wsrep-sst-method": "rsync",
            "wsrep-sst-receive-address": f"{self.host}:{free_port()}",
        }
        return [*super()._command(), *_options(settings)]


class GaleraCluster:
    """Nodes that each take writes for all of them."""

    def __init__(self, nodes: int = 3) -> None:
        first = GaleraServer()
        self.nodes = [first, *(GaleraServer(first) for _ in range(nodes - 1))]

    @classmethod
    def missing(cls) -> str | None:
        return GaleraServer.missing()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for node in self.nodes:
                stack.enter_context(node)

            self._nodes = stack.pop_all()

        return self

    def catch_up(self) -> None:
        """Wait until all nodes have what any of them has committed by now."""
        deadline = time.monotonic() + 30

        while len({self._committed(node) for node in self.nodes}) > 1:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    @staticmethod
    def _committed(node: GaleraServer) -> str:
        ((_, number),) = node.execute("SHOW STATUS LIKE 'wsrep_last_committed'")
        return str(number)

    def __exit__(self, *exc_info: object) -> None:
        # Who joined last goes first, so that those who stay are the majority.
        self._nodes.close()
