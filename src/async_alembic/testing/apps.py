"""An app that was made for a URL, and how its commands are run."""

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
from ..apps.settings import Settings
from ..errors import FreshDatabaseError
from ..extension.base import BaseAlembic
from ..running.by_engine import run_blocking
from ..running.dispatch import block_on_databases
from .copying.names import as_given
from .copying.names import find
from .copying.names import Name

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from ..apps.project import Project
    from ..extension.awaited import Alembic
    from ..extension.blocking import SyncAlembic
    from ..migration.open_databases import OpenDatabases
    from ..running.dispatch import DatabaseCommand

P = t.ParamSpec("P")
T = t.TypeVar("T")
#: Makes an app, or an extension that is registered on one, for the URL of its database,
#: or for a dict with the URLs of several.
Factory: t.TypeAlias = c.Callable[[t.Any], "App | Alembic | SyncAlembic"]


class FreshApp:
    """An app whose databases are at certain URLs.

    Its commands can be run in any thread and app context, and never on the event loop
    of the caller.

    :param factory: Makes it.
    :param urls: The URLs of its databases.
    :param settings: To be added to ``ALEMBIC``.
    :raises FreshDatabaseError: If what is made is no app with this extension, or its
        databases are others.
    """

    def __init__(
        self,
        factory: Factory,
        urls: c.Mapping[Name, sa.URL],
        settings: c.Mapping[str, object] | None = None,
    ) -> None:
        with registry.record_registrations() as apps:
            made = factory(as_given(urls))

        self._urls = urls
        self.extension: BaseAlembic = _extension_of(made)
        self._registry = self.extension._registry
        registered = [app for app in apps if self._registry.has(app)]
        # One instance may have the apps of earlier tests.
        self.app: App = registered[-1] if registered else self._registry.app()
        self._state = self._registry.state(self.app)
        # Not in place, as several apps may have the same dict.
        self.app.config["ALEMBIC"] = {**self.app.config["ALEMBIC"], **(settings or {})}

        for engine in self.databases.engines.values():
            _keep_no_connection(engine)

    @property
    def project(self) -> Project:
        """The files of its migrations, and settings to run them."""
        project = self.extension._project(self.app)
        # Nobody else migrates the database.
        config = {**project.settings.app_config, "ALEMBIC_LOCK": False}
        settings = Settings(project.settings.root_path, config)
        return dataclasses.replace(project, settings=settings)

    @functools.cached_property
    def databases(self) -> Databases:
        """The databases. If their engines are made later, others are made."""
        try:
            databases = self._state.databases(self.app)
        except Exception:
            if not callable(self._registry.engines):
                raise

            return self._own_databases()

        for name, engine in databases.engines.items():
            self._check(name, engine.url)

        if missing := self._urls.keys() - {None, *databases.engines}:
            raise FreshDatabaseError(
                f"There is a server for the database '{min(map(str, missing))}', and"
                " the app has no such database. It has"
                f" {', '.join(map(repr, databases.engines))}."
            )

        return databases

    def _check(self, name: str, url: sa.URL) -> None:
        wanted = find(self._urls, name)

        if wanted is None:
            raise FreshDatabaseError(
                f"There is no server for the app's database '{name}'. Let the server's"
                " URL be a dict that has one for each database."
            )

        if _place(url) != _place(wanted):
            raise FreshDatabaseError(
                f"The app was made for '{wanted}', but its database '{name}' is"
                f" '{url}'. Give the engine the URL that the function is called with;"
                " if the app has several databases, let the server's URL be a dict"
                " that has one for each."
            )

    def _own_databases(self) -> Databases:
        urls = {name or "default": url for name, url in self._urls.items()}
        is_async = all(url.get_dialect().is_async for url in urls.values())
        make: t.Any = create_async_engine if is_async else sa.create_engine
        engines: t.Any = {name: make(url) for name, url in urls.items()}
        add_urls(self._state.config(self.app), urls)
        return find_databases(
            self.app,
            self._registry.metadatas,
            engines,
            None,
            self.extension._prefer_async,
        )

    @property
    def app_engines(self) -> Engines:
        """The engines that the app has by now."""
        return self._state.databases(self.app).engines

    def run(
        self, command: DatabaseCommand[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a command, and return what it returned."""
        return self._block(
            lambda: block_on_databases(
                lambda: self.project, self.databases, False, command, *args, **kwargs
            )
        )

    def on_databases(self, work: c.Callable[[OpenDatabases], T]) -> T:
        """Call a function with the open databases."""
        return self._block(lambda: run_blocking(self.databases.engines, work))

    def dispose(self) -> None:
        """Close the connections that the app's engines have."""
        for engine in self.databases.engines.values():
            if not isinstance(engine, AsyncEngine):
                engine.dispose()
            elif is_single_connection(engine):
                _in_thread(functools.partial(asyncio.run, engine.dispose()))

    async def adispose(self) -> None:
        """Awaited form of :meth:`dispose`."""
        for engine in self.databases.engines.values():
            if isinstance(engine, AsyncEngine):
                await engine.dispose()
            else:
                engine.dispose()

    def _block(self, fn: c.Callable[[], T]) -> T:
        # A sync engine can have one connection for each thread. An async one would need
        # a loop, which must not take the place of one that the caller has.
        return _in_thread(fn) if are_async(self.databases.engines) else fn()


def _extension_of(made: object) -> BaseAlembic:
    if inspect.iscoroutine(made):
        made.close()

    extension = getattr(made, "extensions", {}).get("alembic", made)

    if not isinstance(extension, BaseAlembic):
        raise FreshDatabaseError(
            "The function that is called with a URL must return an app on which"
            " 'Alembic' or 'SyncAlembic' is registered, or one of these, not"
            f" {type(made).__name__}."
        )

    return extension


def _place(url: sa.URL) -> tuple[object, ...]:
    database = None if url.database in {"", ":memory:"} else url.database
    return (url.get_backend_name(), url.host, url.port, database)


def _keep_no_connection(engine: sa.Engine | AsyncEngine) -> None:
    """Close each connection when it is given back: which event loop the next test has,
    or how a test ends its loop, nobody can know.
    """
    if isinstance(engine, AsyncEngine) and not is_single_connection(engine):
        event.listen(
            engine.sync_engine.pool,
            "checkin",
            lambda connection, record: record.close(),
        )


def _in_thread(fn: c.Callable[[], T]) -> T:
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(contextvars.copy_context().run, fn).result()
