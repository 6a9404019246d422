"""What all tests of one process share."""

from __future__ import annotations

import contextlib
import typing as t

import sqlalchemy as sa

from ...dialects import digest
from .databases import FreshDatabases
from .names import by_name
from .shared_server import SharedServer

if t.TYPE_CHECKING:
    from ..apps import Factory
    from .names import Urls


class Session:
    """The servers, and the databases of each app.

    :param run: What all processes of a run know, and no other.
    :param keep: Whether templates outlive the run.
    """

    def __init__(self, run: str, *, keep: bool) -> None:
        self._run = digest(run)[:8]
        self._keep = keep
        self._hosts: dict[sa.URL, SharedServer] = {}
        self._databases: dict[t.Any, FreshDatabases] = {}
        self._stack = contextlib.ExitStack()

    def databases(self, factory: Factory, server_urls: Urls) -> FreshDatabases:
        """Those of an app on its servers.

        :param factory: Makes the app of a database.
        :param server_urls: The URL of the server, or of that of each database.
        """
        urls = by_name(server_urls)
        key = frozenset(urls.items()), factory

        if key not in self._databases:
            hosts = {name: self._host(url) for name, url in urls.items()}
            self._databases[key] = FreshDatabases(hosts, factory, keep=self._keep)

        return self._databases[key]

    def _host(self, url: sa.URL) -> SharedServer:
        if url not in self._hosts:
            self._hosts[url] = SharedServer(url, self._run)
            self._stack.callback(self._hosts[url].close)

        return self._hosts[url]

    def close(self) -> None:
        """Drop all that was made."""
        self._stack.close()
