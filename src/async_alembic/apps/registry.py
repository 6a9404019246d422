"""The registered apps, and the state of each.

Nothing connects here. Alembic is not imported before a config is built.
"""

from __future__ import annotations

import codecs
import collections.abc as c
import contextlib
import functools
import os
import sys
import threading
import typing as t
from contextvars import ContextVar
from weakref import WeakKeyDictionary

from ..errors import AppError
from ..errors import wrap_setting_errors
from .current import current_apps
from .flask_migrate import MigrateArguments
from .settings import format_value
from .settings import set_defaults
from .settings import Settings

if t.TYPE_CHECKING:
    from alembic.config import Config
    from flask.sansio.app import App

    from ..history.files import RevisionFiles
    from ..history.history import History
    from ..history.listing import Folders
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

    def with_config(self, app: App, config: c.Mapping[str, t.Any]) -> Registry:
        """Return a registry of one app, with the same databases and another config."""
        other = Registry(self.metadatas, self.engines, self.prefer_async)
        other._states[app] = state = AppState(other, config)
        state._databases = self.state(app).databases(app)
        return other


class AppState:
    """The config, revision files and databases of one app.

    Holds no reference to the app, because the app is the weak key to this object.

    :param config: Takes the place of ``app.config``.
    """

    def __init__(
        self, registry: Registry, config: c.Mapping[str, t.Any] | None = None
    ) -> None:
        self._registry = registry
        self._app_config = config
        # Separate locks, so that reading many files does not block an event loop that
        # needs the databases.
        self._config_lock = threading.Lock()
        self._history_lock = threading.Lock()
        self._databases_lock = threading.Lock()
        self._config: Config | None = None
        self._history: History | None = None
        self._databases: Databases | None = None

    def settings(self, app: App) -> Settings:
        migrate = MigrateArguments.of(app.extensions.get("migrate"))
        config = app.config if self._app_config is None else self._app_config
        return Settings(app.root_path, config, migrate)

    def names(self, app: App) -> list[str]:
        """Return the names of the databases that are known before first use."""
        from .databases import find_metadatas

        return list(find_metadatas(app, self._registry.metadatas))

    def config(self, app: App) -> Config:
        return self._config_maker(app)()

    def _config_maker(self, app: App) -> c.Callable[[], Config]:
        # Holds no reference to the app.
        return functools.partial(
            self._build_config, self.settings(app), self.names(app)
        )

    def _build_config(self, settings: Settings, names: c.Sequence[str]) -> Config:
        from .alembic_config import add_urls
        from .alembic_config import build_config

        with self._config_lock:
            if self._config is None:
                config = build_config(settings, names)

                if self._databases is not None:
                    add_urls(config, self._databases.urls)

                self._config = config

            return self._config

    def databases(self, app: App) -> Databases:
        """Return the databases, which are found once, on first use."""
        from .databases import find_databases

        with self._databases_lock:
            if self._databases is None:
                registry = self._registry
                databases = find_databases(
                    app,
                    registry.metadatas,
                    registry.engines,
                    lambda: self._option(app, self.settings(app), "sqlalchemy.url"),
                    registry.prefer_async,
                )

                with self._config_lock:
                    if self._config is not None:
                        from .alembic_config import add_urls

                        add_urls(self._config, databases.urls)

                    self._databases = databases

            return self._databases

    def history(self, app: App) -> History:
        """Return the history, read again if a file in it has changed."""
        from ..history.history import History

        with self._history_lock:
            if self._history is None or self._history.files.is_stale():
                previous = self._history.files if self._history else None
                files = self._read_files(app, self.settings(app), previous)
                self._history = History(files, self._config_maker(app))

            return self._history

    def scripts(self, app: App) -> Scripts:
        """Return Alembic's script directory."""
        return self.history(app).scripts

    def project(self, app: App, rev_id: c.Callable[[], str]) -> Project:
        """Return the files and settings that a command needs."""
        from .known_settings import check_spelling
        from .project import Project

        check_spelling(app.config)
        return Project(self.settings(app), self.history(app), rev_id)

    def _read_files(
        self, app: App, settings: Settings, previous: RevisionFiles | None
    ) -> RevisionFiles:
        from ..history.files import RevisionFiles

        self._prepend_sys_path(app, settings)
        folders = self._folders(app, settings)
        files = (
            RevisionFiles(folders, previous) if os.path.isdir(folders.main) else None
        )

        if files is None or files.empty_folder:
            from .nearby import check_nearby

            check_nearby(settings)

        return files or RevisionFiles(folders, previous)

    def _folders(self, app: App, settings: Settings) -> Folders:
        from ..history.listing import Folders

        encoding = self._option(app, settings, "output_encoding") or "utf-8"

        with wrap_setting_errors("output_encoding"):
            codecs.lookup(encoding)

        return Folders(
            os.path.abspath(settings.script_location),
            tuple(map(os.path.abspath, settings.version_locations)),
            self._flag(app, settings, "sourceless"),
            self._flag(app, settings, "recursive_version_locations"),
            encoding,
        )

    def _prepend_sys_path(self, app: App, settings: Settings) -> None:
        paths = settings.option("prepend_sys_path")

        if isinstance(paths, str):
            paths = self.config(app).get_prepend_sys_paths_list()

        for path in reversed([*map(os.fspath, paths or ())]):
            path = path.replace("%(here)s", app.root_path)

            if path not in sys.path:
                sys.path.insert(0, path)

    def _flag(self, app: App, settings: Settings, key: str) -> bool:
        from sqlalchemy.util import asbool

        with wrap_setting_errors(key):
            return asbool(self._option(app, settings, key) or "false")

    def _option(self, app: App, settings: Settings, key: str) -> str | None:
        """Return an option of Alembic's config, built only if the option may refer to
        another one.
        """
        if self._config is None:
            value = settings.option(key)

            if value is None:
                return None

            text = format_value(value, settings.separator)

            if "%" not in text:
                return text

        return self.config(app).get_main_option(key)
