from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from .base import find_program
from .base import PASSWORD
from .base import Proxy
from .base import USER
from .postgresql import PostgresServer


class PgBouncer(Proxy):
    """The installed PgBouncer in front of a server.

    :param mode: Whose the sessions of the server are: a client's while it is connected,
        or that of whoever begins a transaction.
    :param pool_size: How many sessions of the server there are for a database.
    :param database: The database that all clients get, whichever they ask for.
    """

    label = "PgBouncer"
    program = "pgbouncer"

    def __init__(
        self,
        server: PostgresServer,
        mode: Literal["session", "transaction"],
        pool_size: int = 20,
        database: str | None = None,
    ) -> None:
        super().__init__(server)
        self._mode = mode
        self._pool_size = pool_size
        self._database = database

    def _initialize(self) -> None:
        server = f"host={self._server.host} port={self._server.port}"

        if self._database is not None:
            server += f" dbname={self._database}"

        settings = {
            "listen_addr": self.host,
            "listen_port": self.port,
            "unix_socket_dir": self.directory,
            # Whoever comes is the user of the line of the database.
            "auth_type": "any",
            "pool_mode": self._mode,
            "default_pool_size": self._pool_size,
            "ignore_startup_parameters": "extra_float_digits",
        }
        self._file = self._write(
            "pgbouncer.ini",
            "[databases]",
            f"* = {server} user={USER} password='{PASSWORD}'",
            "[pgbouncer]",
            *(f"{name} = {value}" for name, value in settings.items()),
        )

    def _command(self) -> Sequence[str | Path]:
        return [find_program(self.program) or "", self._file]
