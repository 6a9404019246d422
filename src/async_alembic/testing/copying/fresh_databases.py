"""The databases of one test."""

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
from ...errors.secrets import visible_url
from ..apps import FreshApp
from .copies import Copy
from .copies import InMemoryCopy
from .prefetching import CopyPrefetcher
from .templates import get_or_build_templates
from .urls import get_by_name
from .urls import get_default

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from ...extension.awaited import Alembic
    from ...extension.blocking import SyncAlembic
    from ...history.targets import StepTarget
    from ...migration.open_databases import OpenDatabases
    from ..apps import AppFactory
    from .shared_server import SharedServer
    from .urls import DatabaseName


class FreshDatabase:
    """A migrated database for one test, or several if the app has several databases.

    The app is created on first access.
    """

    def __init__(
        self, copies: c.Mapping[DatabaseName, Copy], app_factory: AppFactory
    ) -> None:
        self._copies = copies
        self._app_factory = app_factory
        self._fresh_apps: list[FreshApp] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} '{visible_url(get_default(self._copies).url)}'>"

    @property
    def url(self) -> str:
        """The URL of the database, or of the default database, with the password."""
        return get_default(self._copies).url.render_as_string(hide_password=False)

    @property
    def urls(self) -> dict[str, str]:
        """The URLs of all databases by name, with the passwords."""
        return {
            name or "default": copy.url.render_as_string(hide_password=False)
            for name, copy in self._copies.items()
        }

    @property
    def app(self) -> App:
        """The Flask or Quart app that uses the database."""
        return self.fresh_app.app

    @property
    def alembic(self) -> Alembic | SyncAlembic:
        """The extension of the app."""
        return t.cast("Alembic | SyncAlembic", self.fresh_app.extension)

    @property
    def engine(self) -> sa.Engine:
        """The app's ``Engine`` for the database, or for the default database.

        :raises FreshDatabaseError: If the app has an ``AsyncEngine``.
        """
        engine = self._app_engine()

        if isinstance(engine, AsyncEngine):
            raise FreshDatabaseError(
                "The app has an 'AsyncEngine'. Use 'async_engine' instead of 'engine'."
            )

        return engine

    @property
    def async_engine(self) -> AsyncEngine:
        """The app's ``AsyncEngine`` for the database, or for the default database.

        It closes each connection on checkin and therefore works in any event loop.

        :raises FreshDatabaseError: If the app has an ``Engine``.
        """
        engine = self._app_engine()

        if not isinstance(engine, AsyncEngine):
            raise FreshDatabaseError(
                "The app has an 'Engine'. Use 'engine' instead of 'async_engine'."
            )

        return engine

    def _app_engine(self) -> sa.Engine | AsyncEngine:
        engines = self.fresh_app.app_engines
        return engines[default_name(engines)]

    def fresh_app_with(self, **settings: object) -> FreshApp:
        """Create one more app for these databases.

        :param settings: Settings to add to ``ALEMBIC``.
        """
        urls = {name: copy.url for name, copy in self._copies.items()}
        self._fresh_apps.append(FreshApp(self._app_factory, urls, settings))
        return self._fresh_apps[-1]

    @functools.cached_property
    def fresh_app(self) -> FreshApp:
        """The app, with its in-memory databases loaded."""
        fresh_app = self.fresh_app_with()
        in_memory = {
            name: copy
            for name in fresh_app.databases.engines
            if isinstance(copy := get_by_name(self._copies, name), InMemoryCopy)
        }

        for name in in_memory:
            if not is_single_connection(fresh_app.databases.engines[name]):
                raise FreshDatabaseError(
                    "Each connection of the app's engine would open its own empty"
                    " in-memory database. Give it a 'StaticPool', or use a folder as"
                    " the server URL."
                )

        def load(databases: OpenDatabases) -> None:
            for name, copy in in_memory.items():
                copy.load(databases.connections[name])

        if in_memory:
            fresh_app.on_databases(load)

        return fresh_app

    def close(self) -> None:
        """Close the app's connections and drop the database."""
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


class FreshDatabaseFactory:
    """Makes migrated databases by copying templates.

    :param servers: The server of each database of the app.
    :param app_factory: Creates the app for the URL of its database.
    :param keep: Whether to keep templates after the run.
    """

    def __init__(
        self,
        servers: c.Mapping[DatabaseName, SharedServer],
        app_factory: AppFactory,
        *,
        keep: bool,
    ) -> None:
        self._servers = servers
        self._app_factory = app_factory
        self._keep = keep
        self._prefetchers: dict[str, dict[DatabaseName, CopyPrefetcher]] = {}
        self._lock = threading.Lock()

    def make(
        self, target: StepTarget = "heads", *, in_memory: bool = True
    ) -> FreshDatabase:
        """Make a database, or all databases of an app with several.

        :param target: The revision to migrate to; ``"base"`` for an empty database.
        :param in_memory: Whether the database may be lost with its connection.
        :raises FreshDatabaseError: If the database cannot be made.
        :raises MigrationError: If a revision fails.
        """
        with self._lock:
            prefetchers = self._prefetchers.get(repr(target)) or self._prepare(target)
            copies = {
                name: prefetcher.next_copy(in_memory=in_memory)
                for name, prefetcher in prefetchers.items()
            }
            return FreshDatabase(copies, self._app_factory)

    def _prepare(self, target: StepTarget) -> dict[DatabaseName, CopyPrefetcher]:
        templates: dict[DatabaseName, str] = {}

        if target != "base":
            templates = get_or_build_templates(
                self._servers, self._app_factory, target, keep=self._keep
            )

        prefetchers = {
            name: CopyPrefetcher(server, templates.get(name))
            for name, server in self._servers.items()
        }
        self._prefetchers[repr(target)] = prefetchers
        return prefetchers
