"""What ends or forgets sessions that are idle: from the address of a database to that
which an app has. Nothing here may need pytest, as the benchmarks use it too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy import URL

from .base import Server
from .base import USER
from .haproxy import HAProxy
from .router import SilentRouter


class Between(Protocol):
    def missing(self) -> str | None:
        """Why it can't be used here, or None."""

    def __call__(self, server: Server, url: URL) -> AbstractContextManager[URL]: ...


class Through:
    """A proxy of five seconds, as it is by default."""

    def __init__(self, proxy: type[HAProxy | SilentRouter]) -> None:
        self._proxy = proxy

    def missing(self) -> str | None:
        return self._proxy.missing()

    @contextlib.contextmanager
    def __call__(self, server: Server, url: URL) -> Iterator[URL]:
        with self._proxy(server) as proxy:
            yield proxy.url(url)


class RoleTimeout:
    """A setting of the role in PostgreSQL, of three seconds."""

    def __init__(self, name: str) -> None:
        self._name = name

    def missing(self) -> str | None:
        return None

    @contextlib.contextmanager
    def __call__(self, server: Server, url: URL) -> Iterator[URL]:
        role = f'ROLE {USER} IN DATABASE "{url.database}"'
        server.execute(f"ALTER {role} SET {self._name} = '3s'")

        try:
            yield url
        finally:
            # The database is used again.
            server.execute(f"ALTER {role} RESET {self._name}")


PROXIES: dict[str, Between] = {
    "HAProxy": Through(HAProxy),
    "router": Through(SilentRouter),
}
TIMEOUTS: dict[str, Between] = {
    name: RoleTimeout(name)
    for name in ("idle_session_timeout", "idle_in_transaction_session_timeout")
}
