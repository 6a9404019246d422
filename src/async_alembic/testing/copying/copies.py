"""A database that is a copy of a template."""

from __future__ import annotations

import functools
import typing as t

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from .shared_server import SharedServer


class Copy:
    """A database of its own.

    :param host: The server that it is on.
    :param name: Its name there.
    """

    def __init__(self, host: SharedServer, name: str) -> None:
        self._host = host
        self._name = name

    @functools.cached_property
    def url(self) -> sa.URL:
        return self._host.server.url_of(self._name)

    def drop(self) -> None:
        self._host.drop_later(self._name)


class CopyInMemory(Copy):
    """One that is filled when its app is made, and gone with the app's connection.

    :param host: The server.
    :param template: What it is filled with, if it is not empty.
    """

    def __init__(self, host: SharedServer, template: str | None) -> None:
        super().__init__(host, "")
        self._template = template

    @functools.cached_property
    def url(self) -> sa.URL:
        return self._host.server.url

    def fill(self, connection: sa.Connection) -> None:
        if self._template is not None:
            self._host.server.fill(connection, self._template)

    def drop(self) -> None: ...
