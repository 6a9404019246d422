"""A database that is a copy of a template."""

from __future__ import annotations

import functools
import typing as t

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from .shared_server import SharedServer


class Copy:
    """A copy that is a database on the server.

    :param shared_server: The server.
    :param name: The name of the database.
    """

    def __init__(self, shared_server: SharedServer, name: str) -> None:
        self._shared_server = shared_server
        self._name = name

    @functools.cached_property
    def url(self) -> sa.URL:
        return self._shared_server.server.url_of(self._name)

    def drop(self) -> None:
        self._shared_server.drop(self._name)


class InMemoryCopy(Copy):
    """A copy that is loaded when its app is created, and lost when the app disconnects.

    :param shared_server: The server.
    :param template: The name of the template, or ``None`` for an empty database.
    """

    def __init__(self, shared_server: SharedServer, template: str | None) -> None:
        super().__init__(shared_server, "")
        self._template = template

    @functools.cached_property
    def url(self) -> sa.URL:
        return self._shared_server.server.url

    def load(self, connection: sa.Connection) -> None:
        if self._template is not None:
            self._shared_server.server.load_template(connection, self._template)

    def drop(self) -> None: ...
