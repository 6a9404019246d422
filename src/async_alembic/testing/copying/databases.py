"""The databases for one test."""

from __future__ import annotations

import collections.abc as c
import functools
import threading
import typing as t

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from ...apps.engines import is_single_connection
from ...apps.names import default_name
from ...errors import FreshDatabaseError
from ..apps import FreshApp
from .copies import Copy
from .copies import CopyInMemory
from .names import default_of
from .names import find
from .stocks import Stock
from .templates import find_templates

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from ...extension.awaited import Alembic
    from ...extension.blocking import SyncAlembic
    from ...history.targets import StepTarget
    from ...migration.open_databases import OpenDatabases
    from ..apps import Factory
    from .names import Name
    from .shared_server import SharedServer


class FreshDatabase:
    """A migrated database that nobody else has; or several, if the app has several.

    Its app is made when it is first asked for.
    """

    def __init__(self, copies: c.Mapping[Name, Copy], factory: Factory) -> None:
        self._copies = copies
        self._factory = factory
        self._fresh_apps: list[FreshApp] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} '{default_of(self._copies).url}'>"

    @property
    def url(self) -> str:
        """Its URL, with the password. Of several databases, that of the default one."""
        return default_of(self._copies).url.render_as_string(hide_password=False)

    @property
    def urls(self) -> dict[str, str]:
        """The URL of each database by its name, with the passwords."""
        return {
            name or "default": copy.url.render_as_string(hide_password=False)
            for name, copy in self._copies.items()
        }

    @property
    def app(self) -> App:
        """The app whose database it is, a Flask or a Quart app."""
        return self.fresh_app.app

    @property
    def alembic(self) -> Alembic | SyncAlembic:
        """The extension of the app."""
        return t.cast("Alembic | SyncAlembic", self.fresh_app.extension)

    @property
    def engine(self) -> sa.Engine:
        """The engine of the app, if it blocks. Of several, the default one.

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
        """The engine of the app, if it is an ``AsyncEngine``. Of several, the default
        one. It keeps no connection that is given back, so that it works in any event
        loop.

        :raises FreshDatabaseError: If it blocks.
        """
        engine = self._app_engine()

        if not isinstance(engine, AsyncEngine):
            raise FreshDatabaseError(
                "The app has an Engine. Use 'engine' of the fresh database."
            )

        return engine

    def _app_engine(self) -> sa.Engine | AsyncEngine:
        engines = self.fresh_app.app_engines
        return engines[default_name(engines)]

    def fresh_app_with(self, **settings: object) -> FreshApp:
        """One more app with these databases, and with settings of ``ALEMBIC``."""
        urls = {name: copy.url for name, copy in self._copies.items()}
        self._fresh_apps.append(FreshApp(self._factory, urls, settings))
        return self._fresh_apps[-1]

    @functools.cached_property
    def fresh_app(self) -> FreshApp:
        """How commands are run, whoever calls."""
        fresh_app = self.fresh_app_with()
        in_memory = {
            name: copy
            for name in fresh_app.databases.engines
            if isinstance(copy := find(self._copies, name), CopyInMemory)
        }

        for name in in_memory:
            if not is_single_connection(fresh_app.databases.engines[name]):
                raise FreshDatabaseError(
                    "The app's engine has several connections, of which each would have"
                    " an empty database in memory. Give it a 'StaticPool', or let the"
                    " server's URL name a folder."
                )

        def fill(databases: OpenDatabases) -> None:
            for name, copy in in_memory.items():
                copy.fill(databases.connections[name])

        if in_memory:
            fresh_app.on_databases(fill)

        return fresh_app

    def close(self) -> None:
        """Close the app's connections, and drop it."""
        for fresh_app in self._fresh_apps:
            fresh_app.dispose()

        self._drop()

    async def aclose(self) -> None:
        """Awaited form of :meth:`close`."""
        for fresh_app in self._fresh_apps:
            await fresh_app.adispose()

        self._drop()

    def _drop(self) -> None:
        for copy in self._copies.values():
            copy.drop()


class FreshDatabases:
    """Makes migrated databases: each is a copy of a template.

    :param hosts: The server of each database of the app.
    :param factory: Makes the app of a database.
    :param keep: Whether templates outlive the run.
    """

    def __init__(
        self, hosts: c.Mapping[Name, SharedServer], factory: Factory, *, keep: bool
    ) -> None:
        self._hosts = hosts
        self._factory = factory
        self._keep = keep
        self._stocks: dict[str, dict[Name, Stock]] = {}
        self._lock = threading.Lock()

    def make(
        self, target: StepTarget = "heads", *, in_memory: bool = True
    ) -> FreshDatabase:
        """Make a database, or one of each name.

        :param target: The revision that it is at; ``"base"`` for an empty one.
        :param in_memory: Whether it may be gone with its connection.
        :raises FreshDatabaseError: If that cannot be done.
        :raises MigrationError: If a revision fails.
        """
        with self._lock:
            stocks = self._stocks.get(repr(target)) or self._stock(target)
            copies = {
                name: stock.copy(in_memory=in_memory) for name, stock in stocks.items()
            }
            return FreshDatabase(copies, self._factory)

    def _stock(self, target: StepTarget) -> dict[Name, Stock]:
        templates: dict[Name, str] = {}

        if target != "base":
            templates = find_templates(
                self._hosts, self._factory, target, keep=self._keep
            )

        stocks = {
            name: Stock(host, templates.get(name)) for name, host in self._hosts.items()
        }
        self._stocks[repr(target)] = stocks
        return stocks
