"""The servers that all tests of a process share."""

from __future__ import annotations

import contextlib
import typing as t

import sqlalchemy as sa

from ...dialects import digest
from .fresh_databases import FreshDatabaseFactory
from .shared_server import SharedServer
from .urls import parse_urls

if t.TYPE_CHECKING:
    from ..apps import AppFactory
    from .urls import Urls


class SharedServers:
    """The servers of a process, and a database factory for each app.

    :param run: Identifies the test run. The same string in all of its processes.
    :param keep: Whether to keep templates after the run.
    """

    def __init__(self, run: str, *, keep: bool) -> None:
        self._run = digest(run)[:8]
        self._keep = keep
        self._servers: dict[sa.URL, SharedServer] = {}
        self._database_factories: dict[t.Any, FreshDatabaseFactory] = {}
        self._stack = contextlib.ExitStack()

    def database_factory(
        self, app_factory: AppFactory, server_urls: Urls
    ) -> FreshDatabaseFactory:
        """Return the database factory of an app.

        :param app_factory: Creates the app for the URL of its database.
        :param server_urls: The URL of the server, or one for each database.
        """
        urls = parse_urls(server_urls)
        key = frozenset(urls.items()), app_factory

        if key not in self._database_factories:
            servers = {name: self._server(url) for name, url in urls.items()}
            self._database_factories[key] = FreshDatabaseFactory(
                servers, app_factory, keep=self._keep
            )

        return self._database_factories[key]

    def _server(self, url: sa.URL) -> SharedServer:
        if url not in self._servers:
            self._servers[url] = SharedServer(url, self._run)
            self._stack.callback(self._servers[url].close)

        return self._servers[url]

    def close(self) -> None:
        """Drop all databases of this process and disconnect."""
        self._stack.close()
