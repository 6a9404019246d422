"""What all tests of one process share."""

from __future__ import annotations

import contextlib
import typing as t

import sqlalchemy as sa

from ..dialects import digest
from .databases import FreshDatabases
from .hosts import Host

if t.TYPE_CHECKING:
    from .subjects import Factory


class Session:
    """The servers, and the databases of each app.

    :param run: What all processes of a run know, and no other.
    :param keep: Whether templates outlive the run.
    """

    def __init__(self, run: str, *, keep: bool) -> None:
        self._run = digest(run)[:8]
        self._keep = keep
        self._hosts: dict[sa.URL, Host] = {}
        self._databases: dict[tuple[sa.URL, Factory], FreshDatabases] = {}
        self._stack = contextlib.ExitStack()

    def databases(self, factory: Factory, server_url: str | sa.URL) -> FreshDatabases:
        """Those of an app on a server.

        :param factory: Makes the app of a database.
        :param server_url: The URL of the server.
        """
        url = sa.make_url(server_url)
        key = url, factory

        if key not in self._databases:
            self._databases[key] = FreshDatabases(
                self._host(url), factory, keep=self._keep
            )

        return self._databases[key]

    def _host(self, url: sa.URL) -> Host:
        if url not in self._hosts:
            self._hosts[url] = Host(url, self._run)
            self._stack.callback(self._hosts[url].close)

        return self._hosts[url]

    def close(self) -> None:
        """Drop all that was made."""
        self._stack.close()
