"""The registered apps, and the state of each.

Nothing connects here. Alembic is not imported before a config is built.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import threading
import typing as t
from contextvars import ContextVar
from weakref import WeakKeyDictionary

from ..errors import AppError
from .alembic_config import add_urls
from .alembic_config import build_config
from .current import current_apps
from .settings import set_defaults
from .settings import Settings

if t.TYPE_CHECKING:
    from alembic.config import Config
    from flask.sansio.app import App

    from ..history.scripts import Scripts
    from .databases import Databases
    from .databases import EngineSource
    from .databases import Metadatas
    from .project import Project

_registered: ContextVar[list[App] | None] = ContextVar("_registered", default=None)


@contextlib.contextmanager
def record_registrations() -> c.Iterator[list[App]]:
    """Collect the apps that are registered inside the ``with`` block. The list keeps
    them alive.
    """
    apps: list[App] = []
    token = _registered.set(apps)

    try:
        yield apps
    finally:
        _registered.reset(token)


class Registry:
    """The apps that one extension is registered on.

    :param metadatas: See :class:`.Alembic`.
    :param engines: See :class:`.Alembic`.
    :param prefer_async: Whether to use the async engines of a SQLAlchemy extension that
        has both kinds.
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
        self._had_app = False

    def add(self, app: App) -> AppState:
        set_defaults(app.config)
        self._had_app = True
        self._states[app] = state = AppState(self)

        if (registered := _registered.get()) is not None:
            registered.append(app)

        return state

    def has(self, app: App) -> bool:
        """Whether an app is registered."""
        return app in self._states

    def app(self) -> App:
        """Return the current app, or the only registered one.

        :raises AppError: If there is no app, or there are several and none is current.
        """
        current = current_apps()

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

        if not apps and self._had_app:
            raise AppError(
                "The registered app was garbage collected. Keep a reference to the app,"
                " because this extension does not."
            )

        if not apps:
            raise AppError("No app is registered. Call 'init_app' first.")

        if len(apps) > 1:
            names = ", ".join(f"'{app.name}'" for app in apps)
            raise AppError(
                f"Several apps are registered ({names}), and none is current. Enter an"
                " app context."
            )

        return apps[0]

    def state(self, app: App) -> AppState:
        """Return the state of a registered app."""
        return self._states[app]


class AppState:
    """The config, script directory and databases of one app.

    Holds no reference to the app, because the app is the weak key to this object.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        # Separate locks, so that reading many files does not block an event loop that
        # needs the databases.
        self._config_lock = threading.Lock()
        self._scripts_lock = threading.Lock()
        self._databases_lock = threading.Lock()
        self._config: Config | None = None
        self._scripts: Scripts | None = None
        self._databases: Databases | None = None

    def settings(self, app: App) -> Settings:
        return Settings(app.root_path, app.config)

    def names(self, app: App) -> list[str]:
        """Return the names of the databases that are known before first use."""
        from .databases import find_metadatas

        return list(find_metadatas(app, self._registry.metadatas))

    def config(self, app: App) -> Config:
        with self._config_lock:
            if self._config is None:
                self._config = build_config(self.settings(app), self.names(app))

            return self._config

    def databases(self, app: App) -> Databases:
        """Return the databases, which are found once, on first use."""
        from .databases import find_databases

        with self._databases_lock:
            if self._databases is None:
                registry, config = self._registry, self.config(app)
                databases = find_databases(
                    app,
                    registry.metadatas,
                    registry.engines,
                    config.get_main_option("sqlalchemy.url"),
                    registry.prefer_async,
                )
                urls = {name: engine.url for name, engine in databases.engines.items()}
                add_urls(config, urls)
                self._databases = databases

            return self._databases

    def scripts(self, app: App) -> Scripts:
        """Return the script directory, read again if a file in it has changed."""
        from ..history.scripts import load

        with self._scripts_lock:
            if self._scripts is None or self._scripts.is_stale():
                settings = self.settings(app)
                self._scripts = load(
                    self.config(app),
                    settings.script_location,
                    settings.version_locations,
                    self._scripts,
                )

            return self._scripts

    def project(self, app: App, rev_id: c.Callable[[], str]) -> Project:
        """Return the files and settings that a command needs."""
        from .project import Project

        return Project(self.settings(app), self.config(app), self.scripts(app), rev_id)
