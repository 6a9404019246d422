"""Which apps there are, which of them is meant, and what is kept for each.

The only place that asks Flask or Quart for the current app. Nothing connects here, and
Alembic is imported when a config is first built.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import contextvars
import sys
import threading
import typing as t
from contextvars import ContextVar
from weakref import WeakKeyDictionary

from ..errors import AppError
from .settings import add_urls
from .settings import build_config
from .settings import set_defaults
from .settings import Settings

if t.TYPE_CHECKING:
    from types import ModuleType

    from alembic.config import Config
    from flask import Flask
    from flask.sansio.app import App

    from ..history.scripts import Scripts
    from ..results import Report
    from .databases import EngineSource
    from .databases import Metadatas
    from .databases import Targets
    from .project import Project

T = t.TypeVar("T")


class Invocation:
    """A call from the command line, which may block an event loop.

    :param app: The app whose CLI it is.
    :param report: Told of each revision that is applied.
    """

    def __init__(self, app: App, report: Report) -> None:
        self.app = app
        self.report = report


invocation: ContextVar[Invocation | None] = ContextVar("invocation", default=None)
_registered: ContextVar[list[App] | None] = ContextVar("_registered", default=None)


@contextlib.contextmanager
def registering() -> c.Iterator[list[App]]:
    """Tell of the apps that are registered meanwhile, and keep them."""
    apps: list[App] = []
    token = _registered.set(apps)

    try:
        yield apps
    finally:
        _registered.reset(token)


class Registry:
    """The apps that one extension was registered on.

    :param metadatas: See :class:`.Alembic`.
    :param engines: See :class:`.Alembic`.
    :param prefer_async: Whether to take the async engines of a SQLAlchemy extension
        that has both kinds.
    """

    def __init__(
        self,
        metadatas: Metadatas | None,
        engines: EngineSource | None,
        prefer_async: bool,
    ) -> None:
        self.metadatas = metadatas
        self.engines = engines
        self.prefer_async = prefer_async
        self._states: WeakKeyDictionary[App, AppState] = WeakKeyDictionary()
        self._had_an_app = False

    def add(self, app: App) -> AppState:
        set_defaults(app.config)
        self._had_an_app = True
        self._states[app] = state = AppState(self)

        if (registered := _registered.get()) is not None:
            registered.append(app)

        return state

    def has(self, app: App) -> bool:
        """Whether an app is registered."""
        return app in self._states

    def app(self) -> App:
        """The app that is meant: the current one, or the only one.

        :raises AppError: If there is none, or it is not clear which.
        """
        called = invocation.get()

        if called is not None and called.app in self._states:
            return called.app

        current = _current_apps()

        for app in current:
            if app in self._states:
                return app

        if current:
            raise AppError(
                f"The current app '{current[0].name}' is not registered with this"
                " 'Alembic' instance. Did you forget to call 'init_app', or did you"
                " create several instances?"
            )

        apps = list(self._states)

        if not apps and self._had_an_app:
            raise AppError(
                "The app that was registered is gone. Keep a reference to it, as this"
                " extension keeps none."
            )

        if not apps:
            raise AppError("No app is registered. Call 'init_app' first.")

        if len(apps) > 1:
            names = ", ".join(f"'{app.name}'" for app in apps)
            raise AppError(
                f"Several apps are registered ({names}), and none is current. Enter the"
                " app context of the one that is meant."
            )

        return apps[0]

    def state(self, app: App) -> AppState:
        """What is kept for a registered app."""
        return self._states[app]


class AppState:
    """What is kept for one app: its config, its script directory, its databases.

    Holds no reference to the app, which is the weak key that this is kept by.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        # One each, so that reading many files never holds up an event loop that asks
        # for the databases.
        self._config_lock = threading.Lock()
        self._scripts_lock = threading.Lock()
        self._targets_lock = threading.Lock()
        self._config: Config | None = None
        self._scripts: Scripts | None = None
        self._targets: Targets | None = None

    def settings(self, app: App) -> Settings:
        return Settings(app.root_path, app.config)

    def names(self, app: App) -> list[str]:
        """The names of the databases, as far as they are known before first use."""
        from .databases import find_metadatas

        return list(find_metadatas(app, self._registry.metadatas))

    def config(self, app: App) -> Config:
        with self._config_lock:
            if self._config is None:
                self._config = build_config(self.settings(app), self.names(app))

            return self._config

    def targets(self, app: App) -> Targets:
        """The databases, found once, at first use."""
        from .databases import find_targets

        with self._targets_lock:
            if self._targets is None:
                registry, config = self._registry, self.config(app)
                targets = find_targets(
                    app,
                    registry.metadatas,
                    registry.engines,
                    config.get_main_option("sqlalchemy.url"),
                    registry.prefer_async,
                )
                urls = {name: engine.url for name, engine in targets.engines.items()}
                add_urls(config, urls)
                self._targets = targets

            return self._targets

    def scripts(self, app: App) -> Scripts:
        """The script directory, read again when a file in it changed."""
        from ..history.scripts import load

        with self._scripts_lock:
            if self._scripts is None or self._scripts.is_stale():
                self._scripts = load(
                    self.config(app), self.settings(app), self._scripts
                )

            return self._scripts

    def project(self, app: App, rev_id: c.Callable[[], str]) -> Project:
        """The files of the app, as a command needs them."""
        from .project import Project

        return Project(self.settings(app), self.config(app), self.scripts(app), rev_id)


def current_context() -> object | None:
    """The current app context of Flask or Quart, to keep things for its time."""
    for framework in _frameworks_in_context():
        return t.cast("object", framework.globals.app_ctx._get_current_object())

    return None


def call_in_app_context(app: App, fn: c.Callable[[], T]) -> T:
    """Call a function within an app's context, for the command line. Not where an event
    loop is running, as there neither framework's context can be left by blocking code.

    :param app: A Flask or a Quart app.
    :param fn: The function.
    :return: What it returned.
    """
    from ..running.direct import loop_is_running

    if app in _current_apps() or loop_is_running():
        return fn()

    if is_quart(app):
        return _call_in_quart_context(t.cast("t.Any", app).app_context(), fn)

    with t.cast("Flask", app).app_context():
        return fn()


def _call_in_quart_context(
    app_context: contextlib.AbstractAsyncContextManager[t.Any], fn: c.Callable[[], T]
) -> T:
    import asyncio

    context = contextvars.copy_context()

    async def leave() -> None:
        # An extension for Flask can have a teardown function that fails under Quart.
        # The command is done by then.
        with contextlib.suppress(Exception):
            await app_context.__aexit__(None, None, None)

    with asyncio.Runner() as runner:
        runner.run(_enter(app_context), context=context)

        try:
            # The loop is not running meanwhile, so that the function may block.
            return context.run(fn)
        finally:
            runner.run(leave(), context=context)


async def _enter(app_context: contextlib.AbstractAsyncContextManager[t.Any]) -> None:
    await app_context.__aenter__()


def is_quart(app: App) -> bool:
    quart = sys.modules.get("quart")
    return quart is not None and isinstance(app, quart.Quart)


def _current_apps() -> list[App]:
    return [
        framework.current_app._get_current_object()
        for framework in _frameworks_in_context()
    ]


def _frameworks_in_context() -> c.Iterator[ModuleType]:
    """Flask and Quart, each if it is imported and an app context of it is current."""
    for name in "flask", "quart":
        framework = sys.modules.get(name)

        if framework is not None and framework.has_app_context():
            yield framework
