from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .base import find_program
from .base import Proxy
from .base import Server


class HAProxy(Proxy):
    """The installed HAProxy in front of a server.

    :param timeout: After how many seconds without a byte it cuts a connection, whether
        the server is busy or not.
    """

    label = "HAProxy"
    program = "haproxy"

    def __init__(self, server: Server, timeout: float = 5.0) -> None:
        super().__init__(server)
        self._timeout = timeout

    def _initialize(self) -> None:
        milliseconds = int(self._timeout * 1000)
        self._file = self._write(
            "haproxy.cfg",
            "defaults",
            "mode tcp",
            "timeout connect 5s",
            f"timeout client {milliseconds}ms",
            f"timeout server {milliseconds}ms",
            "listen database",
            f"bind {self.host}:{self.port}",
            f"server database {self._server.host}:{self._server.port}",
        )

    def _command(self) -> Sequence[str | Path]:
        return [find_program(self.program) or "", "-db", "-f", self._file]
