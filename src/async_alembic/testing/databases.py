"""A database for one test."""

from __future__ import annotations

import functools
import threading
import typing as t

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from ..config import default_name
from ..engines import is_bound
from ..errors import FreshDatabaseError
from .subjects import Subject

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from ..access import Access
    from ..extension import Alembic
    from ..revisions import StepTarget
    from ..sync import SyncAlembic
    from .hosts import Host
    from .hosts import Stock
    from .subjects import Factory


class FreshDatabase:
    """A migrated database that nobody else has.

    Its app is made when it is first asked for.
    """

    def __init__(self, host: Host, factory: Factory, name: str) -> None:
        self._host = host
        self._factory = factory
        self._name = name
        self._subjects: list[Subject] = []

    @functools.cached_property
    def _url(self) -> sa.URL:
        return self._host.server.url_of(self._name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} '{self._url}'>"

    @property
    def url(self) -> str:
        """Its URL, with the password."""
        return self._url.render_as_string(hide_password=False)

    @property
    def app(self) -> App:
        """The app whose database it is, a Flask or a Quart app."""
        return self.subject.app

    @property
    def alembic(self) -> Alembic | SyncAlembic:
        """The extension of the app."""
        return t.cast("Alembic | SyncAlembic", self.subject.shell)

    @property
    def engine(self) -> sa.Engine:
        """The engine of the app, if it blocks.

        :raises FreshDatabaseError: If it is an ``AsyncEngine``.
        """
        engine = self._app_engine()

        if isinstance(engine, AsyncEngine):
            raise FreshDatabaseError(
                "The app has an AsyncEngine. Use 'async_engine' of the fresh database."
            )

        return engine

    @property
    def async_engine(self) -> AsyncEngine:
        """The engine of the app, if it is an ``AsyncEngine``. It keeps no connection
        that is given back, so that it works in any event loop.

        :raises FreshDatabaseError: If it blocks.
        """
        engine = self._app_engine()

        if not isinstance(engine, AsyncEngine):
            raise FreshDatabaseError(
                "The app has an Engine. Use 'engine' of the fresh database."
            )

        return engine

    def _app_engine(self) -> sa.Engine | AsyncEngine:
        engines = self.subject.app_engines
        return engines[default_name(engines)]

    def subject_with(self, **settings: object) -> Subject:
        """One more app with this database, and with settings of ``ALEMBIC``."""
        self._subjects.append(Subject(self._factory, self._url, settings))
        return self._subjects[-1]

    @functools.cached_property
    def subject(self) -> Subject:
        """How commands are run, whoever calls."""
        return self.subject_with()

    def close(self) -> None:
        """Close the app's connections, and drop it."""
        for subject in self._subjects:
            subject.dispose()

        self._drop()

    async def aclose(self) -> None:
        """Awaited form of :meth:`close`."""
        for subject in self._subjects:
            await subject.adispose()

        self._drop()

    def _drop(self) -> None:
        self._host.drop_later(self._name)


class DatabaseInMemory(FreshDatabase):
    """One that is filled when its app is made, and gone with the app's connection.

    :param template: What it is filled with, if it is not empty.
    """

    def __init__(self, host: Host, factory: Factory, template: str | None) -> None:
        super().__init__(host, factory, "")
        self._template = template

    @functools.cached_property
    def _url(self) -> sa.URL:
        return self._host.server.url

    @functools.cached_property
    def subject(self) -> Subject:
        subject = self.subject_with()

        if not all(map(is_bound, subject.targets.engines.values())):
            raise FreshDatabaseError(
                "The app's engine has several connections, of which each would have an"
                " empty database in memory. Give it a 'StaticPool', or let the server's"
                " URL name a folder."
            )

        if self._template is not None:
            subject.access(functools.partial(self._fill, self._template))

        return subject

    def _fill(self, template: str, access: Access) -> None:
        for connection in access.connections.values():
            self._host.server.fill(connection, template)

    def _drop(self) -> None: ...


class FreshDatabases:
    """Makes migrated databases: each is a copy of a template.

    :param host: The server.
    :param factory: Makes the app of a database.
    :param keep: Whether templates outlive the run.
    """

    def __init__(self, host: Host, factory: Factory, *, keep: bool) -> None:
        self._host = host
        self._factory = factory
        self._keep = keep
        self._stocks: dict[str, Stock] = {}
        self._lock = threading.Lock()

    def make(
        self, target: StepTarget = "heads", *, in_memory: bool = True
    ) -> FreshDatabase:
        """Make a database.

        :param target: The revision that it is at; ``"base"`` for an empty one.
        :param in_memory: Whether it may be gone with its connection.
        :raises FreshDatabaseError: If that cannot be done.
        :raises MigrationError: If a revision fails.
        """
        with self._lock:
            stock = self._stocks.get(repr(target)) or self._stock(target)

            if in_memory and self._host.in_memory:
                return DatabaseInMemory(self._host, self._factory, stock.template)

            return FreshDatabase(self._host, self._factory, stock.take())

    def _stock(self, target: StepTarget) -> Stock:
        template = None

        if target != "base":
            template = self._host.find_template(self._factory, target, self._keep)

        stock = self._stocks[repr(target)] = self._host.stock(template)
        return stock
