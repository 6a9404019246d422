from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Literal
from typing import Self

from sqlalchemy import URL

from .base import free_port
from .base import PASSWORD
from .base import unprivileged
from .base import USER
from .postgresql import PostgresServer


class PgBouncer:
    """The installed PgBouncer in front of a server, for any of its databases.

    :param server: A server that runs.
    :param mode: Whose the sessions of the server are: a client's while it is connected,
        or that of whoever begins a transaction.
    """

    def __init__(
        self, server: PostgresServer, mode: Literal["session", "transaction"]
    ) -> None:
        self._server = server
        self._mode = mode
        self._port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="async-alembic-"))

    @classmethod
    def missing(cls) -> str | None:
        """Why it can't be started here, or None."""
        if cls._program() is None:
            return "PgBouncer: 'pgbouncer' is not installed."

        return None

    @staticmethod
    def _program() -> str | None:
        # Debian puts servers where only root's path leads.
        return shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")

    def url(self, url: URL) -> URL:
        """The address of a database of the server through this."""
        return url.set(port=self._port)

    def __enter__(self) -> Self:
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": self._port,
            "unix_socket_dir": self._folder,
            # Whoever comes is the user of the line of the database.
            "auth_type": "any",
            "pool_mode": self._mode,
            "ignore_startup_parameters": "extra_float_digits",
        }
        lines = [f"{name} = {value}" for name, value in settings.items()]
        file = self._folder / "pgbouncer.ini"
        file.write_text(
            "[databases]\n"
            f"* = host=127.0.0.1 port={self._server.port} user={USER}"
            f" password='{PASSWORD}'\n"
            "[pgbouncer]\n" + "\n".join(lines)
        )
        self._folder.chmod(0o777)

        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [self._program() or "", file],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **unprivileged(),
            )

        deadline = time.monotonic() + 10

        while b"process up" not in (self._folder / "log").read_bytes():
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)

        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Now, without waiting for its clients.
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=10)
        shutil.rmtree(self._folder)
