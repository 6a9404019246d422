"""Empty databases beside those of an app, on the same servers."""

from __future__ import annotations

import collections.abc as c
import contextlib
import tempfile
import typing as t
from uuid import uuid4

import sqlalchemy as sa

from .servers import server_of

#: By database system: the database to connect to while others are made.
_MAINTENANCE = {"postgresql": "postgres"}


class ScratchServers:
    """Makes databases, and drops them at the end of the ``with`` block. All methods
    block. Call them in one thread, in which no event loop runs.

    :param urls: The URLs of the app's databases, by their names.
    """

    def __init__(self, urls: c.Mapping[str, sa.URL]) -> None:
        self._urls = urls
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *exc_info: t.Any) -> None:
        self._stack.close()

    def make(self) -> dict[str, sa.URL]:
        """Make an empty database for each of the app's.

        :return: Their URLs, by the names of the app's databases.
        :raises DatabaseConnectionError: If a server cannot be reached.
        :raises FreshDatabaseError: If databases cannot be made on this system.
        """
        return {name: self._make(url) for name, url in self._urls.items()}

    def _make(self, url: sa.URL) -> sa.URL:
        system = url.get_backend_name()
        database = _MAINTENANCE.get(system)

        if system == "sqlite":
            database = self._stack.enter_context(tempfile.TemporaryDirectory())

        server = server_of(_with_database(url, database), uuid4().hex[:8])
        server.open()
        self._stack.callback(server.close)
        name = server.new_name()
        server.create(name)
        self._stack.callback(server.drop, name)
        return server.url_of(name)


def _with_database(url: sa.URL, database: str | None) -> sa.URL:
    # URL.set() cannot set it to None.
    return sa.URL.create(
        url.drivername,
        url.username,
        url.password,
        url.host,
        url.port,
        database,
        url.query,
    )
