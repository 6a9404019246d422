"""An app that is created for given database URLs, and runs migration commands."""

from __future__ import annotations

import asyncio
import collections.abc as c
import contextvars
import dataclasses
import functools
import inspect
import typing as t
from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.ext.asyncio import create_async_engine

from ..apps import registry
from ..apps.alembic_config import add_urls
from ..apps.databases import Databases
from ..apps.databases import find_databases
from ..apps.engines import are_async
from ..apps.engines import Engines
from ..apps.engines import is_single_connection
from ..apps.project import Project
from ..errors import FreshDatabaseError
from ..extension.base import BaseAlembic
from ..running.by_engine import run_blocking
from ..running.dispatch import block_on_databases
from .connected_database import refuse_other_database
from .copying.urls import DatabaseName
from .copying.urls import get_by_name
from .copying.urls import render_urls

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from ..extension.awaited import Alembic
    from ..extension.blocking import SyncAlembic
    from ..migration.open_databases import OpenDatabases
    from ..running.dispatch import DatabaseCommand

P = t.ParamSpec("P")
T = t.TypeVar("T")
#: Takes the URL of a database, or a dict of several. Returns an app, or an extension
#: that is registered on an app.
AppFactory: t.TypeAlias = c.Callable[[t.Any], "App | Alembic | SyncAlembic"]


class FreshApp:
    """An app that is created for given database URLs.

    Commands can run in any thread and app context. They never use the caller's event
    loop.

    :param app_factory: Creates the app.
    :param urls: The URLs of its databases.
    :param settings: Settings to add to ``ALEMBIC``.
    :raises FreshDatabaseError: If the factory returns no app with this extension, or
        the app has other databases.
    """

    def __init__(
        self,
        app_factory: AppFactory,
        urls: c.Mapping[DatabaseName, sa.URL],
        settings: c.Mapping[str, object] | None = None,
    ) -> None:
        with registry.record_registrations() as apps:
            returned = app_factory(render_urls(urls))

        self._urls = urls
        self.extension: BaseAlembic = _extension_of(returned)
        self._registry = self.extension._registry
        registered = [app for app in apps if self._registry.has(app)]
        # One extension may also have the apps of earlier tests.
        self.app: App = registered[-1] if registered else self._registry.app()
        self._state = self._registry.state(self.app)
        # A new dict, as several apps may share the old one.
        self.app.config["ALEMBIC"] = {**self.app.config["ALEMBIC"], **(settings or {})}

        for name, engine in self.databases.engines.items():
            _disable_pooling(engine)
            refuse_other_database(engine, get_by_name(urls, name))

    @property
    def project(self) -> Project:
        """The app's revision files and settings."""
        project = self.extension._project(self.app)
        # No other process migrates this database.
        config = {
            **project.settings.app_config,
            "ALEMBIC_AUDIT": False,
            "ALEMBIC_LOCK": False,
        }
        settings = project.settings.with_config(config)
        # No signals are sent, as nobody is to be told that a test makes a database.
        return Project(settings, project.history, project.rev_id)

    @functools.cached_property
    def databases(self) -> Databases:
        """The app's databases. Creates engines if the app does not have them yet."""
        try:
            databases = self._state.databases(self.app)
        except Exception:
            if not callable(self._registry.arguments.engines):
                raise

            return self._create_databases()

        for name, engine in databases.engines.items():
            self._check_url(name, engine.url)

        if missing := self._urls.keys() - {None, *databases.engines}:
            raise FreshDatabaseError(
                f"There is a server URL for '{min(map(str, missing))}', but the app has"
                " no such database. Its databases are"
                f" {', '.join(map(repr, databases.engines))}."
            )

        return databases

    def _check_url(self, name: str, url: sa.URL) -> None:
        expected = get_by_name(self._urls, name)

        if expected is None:
            raise FreshDatabaseError(
                f"There is no server URL for the app's database '{name}'. Use a dict"
                " with a server URL for each database."
            )

        if _location(url) != _location(expected):
            raise FreshDatabaseError(
                f"The app was created for '{expected}', but its database '{name}' is"
                f" '{url}'. Create the engine with the URL that is passed to the app"
                " factory. If the app has several databases, use a dict with a server"
                " URL for each."
            )

    def _create_databases(self) -> Databases:
        urls = {name or "default": url for name, url in self._urls.items()}
        is_async = all(url.get_dialect().is_async for url in urls.values())
        create: t.Any = create_async_engine if is_async else sa.create_engine
        engines: t.Any = {name: create(url) for name, url in urls.items()}
        add_urls(self._state.config(self.app), urls)
        sources = dataclasses.replace(self._state.sources(self.app), engines=engines)
        return find_databases(self.app, sources)

    @property
    def app_engines(self) -> Engines:
        """The engines that the app has now."""
        return self._state.databases(self.app).engines

    def run(
        self, command: DatabaseCommand[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a command and return its result."""
        return self._call(
            lambda: block_on_databases(
                self.project, self.databases, False, command, *args, **kwargs
            )
        )

    def on_databases(self, work: c.Callable[[OpenDatabases], T]) -> T:
        """Call a function with the open databases and return its result."""
        return self._call(lambda: run_blocking(self.databases.engines, work))

    def dispose(self) -> None:
        """Close the connections of the app's engines."""
        for engine in self.databases.engines.values():
            if not isinstance(engine, AsyncEngine):
                engine.dispose()
            elif is_single_connection(engine):
                run_in_thread(functools.partial(asyncio.run, engine.dispose()))

    async def adispose(self) -> None:
        """Awaited form of :meth:`dispose`."""
        for engine in self.databases.engines.values():
            if isinstance(engine, AsyncEngine):
                await engine.dispose()
            else:
                engine.dispose()

    def _call(self, fn: c.Callable[[], T]) -> T:
        # The pool of a sync engine may have one connection for each thread. An async
        # engine needs a new event loop, and this thread may be running one.
        return run_in_thread(fn) if are_async(self.databases.engines) else fn()


def _extension_of(returned: object) -> BaseAlembic:
    if inspect.iscoroutine(returned):
        returned.close()

    extension = getattr(returned, "extensions", {}).get("alembic", returned)

    if not isinstance(extension, BaseAlembic):
        raise FreshDatabaseError(
            "The app factory must return an app on which 'Alembic' or 'SyncAlembic'"
            f" is registered, or the extension, not {type(returned).__name__}."
        )

    return extension


def _location(url: sa.URL) -> tuple[object, ...]:
    database = None if url.database in {"", ":memory:"} else url.database
    return (url.get_backend_name(), url.host, url.port, database)


def _disable_pooling(engine: sa.Engine | AsyncEngine) -> None:
    """Close each connection on checkin, as the next test may use another event loop."""
    if isinstance(engine, AsyncEngine) and not is_single_connection(engine):
        event.listen(
            engine.sync_engine.pool,
            "checkin",
            lambda connection, record: record.close(),
        )


def run_in_thread(fn: c.Callable[[], T]) -> T:
    """Call a function where no event loop runs."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(contextvars.copy_context().run, fn).result()
