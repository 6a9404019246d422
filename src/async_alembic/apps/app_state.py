"""The state of one app: its config, revision files and databases.

Nothing connects here. Alembic is not imported before a config is built.
"""

from __future__ import annotations

import codecs
import collections.abc as c
import functools
import os
import sys
import threading
import typing as t

from ..errors import wrap_setting_errors
from .flask_migrate import MigrateArguments
from .options import NO_OPTIONS
from .settings import format_value
from .settings import Settings
from .tenants import ANY_TENANT
from .tenants import tenant_databases

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.config import Config
    from flask.sansio.app import App

    from ..history.database_names import DatabaseNames
    from ..history.files import RevisionFiles
    from ..history.history import History
    from ..history.listing import Folders
    from ..history.scripts import Scripts
    from .arguments import Arguments
    from .databases import Databases
    from .databases import Sources
    from .options import Options
    from .project import Project


class AppState:
    """The config, revision files and databases of one app.

    Holds no reference to the app, because the app is the weak key to this object.

    :param arguments: What the extension was created with.
    :param options: The options of the calls that use this state.
    :param base: The state without options, whose engines are used.
    """

    def __init__(
        self,
        arguments: Arguments,
        options: Options = NO_OPTIONS,
        base: AppState | None = None,
    ) -> None:
        self._arguments = arguments
        self.options = options
        self._base = base
        tenant = options.tenant
        # What is of one tenant is garbage after its call, but not what it shares.
        self._has_history = tenant is None or tenant == ANY_TENANT
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
        app_config = self.options.apply(app.config)
        tenant = self.options.tenant
        return Settings(
            app.root_path,
            app_config,
            migrate,
            self._arguments.hooks,
            tenant.schema if tenant else None,
        )

    def names(self, app: App) -> list[str]:
        """Return the names of the databases that are known before first use."""
        return self._names(app, self.settings(app).database_names)

    def _names(self, app: App, in_history: DatabaseNames) -> list[str]:
        from .databases import find_metadatas

        return list(find_metadatas(app, self._arguments.metadatas, in_history))

    def config(self, app: App) -> Config:
        if not self._has_history and self._base is not None:
            return self._base.config(app)

        return self._build_config(self.settings(app), self.names(app))

    def _build_config(self, settings: Settings, names: c.Sequence[str]) -> Config:
        from .alembic_config import add_urls
        from .alembic_config import build_config

        with self._config_lock:
            if self._config is None:
                in_history = settings.database_names
                are_taken = len(names) > 1 or in_history.are_in_template()
                config = build_config(
                    settings,
                    [in_history.of(name) for name in names if are_taken],
                    self.options.x_args,
                )

                if self._databases is not None:
                    add_urls(config, self._databases.urls)

                self._config = config

            return self._config

    def sources(self, app: App) -> Sources:
        """Return where the databases may be found."""
        from .databases import Sources

        arguments = self._arguments
        settings = self.settings(app)
        return Sources(
            arguments.metadatas,
            arguments.engines,
            lambda: self._option(app, settings, "sqlalchemy.url"),
            arguments.prefer_async,
            self._database_names(app),
        )

    def _database_names(self, app: App) -> DatabaseNames:
        # No file is read again, as an event loop may run.
        if self._history is not None:
            return self._history.database_names

        if self._base is not None and not self._has_history:
            return self._base._database_names(app)

        return self.settings(app).database_names

    def databases(self, app: App) -> Databases:
        """Return the databases, which are found once, on first use."""
        with self._databases_lock:
            if self._databases is None:
                databases = self._find_databases(app)

                with self._config_lock:
                    if self._config is not None:
                        from .alembic_config import add_urls

                        add_urls(self._config, databases.urls)

                    self._databases = databases

            return self._databases

    def _find_databases(self, app: App) -> Databases:
        from .databases import find_databases

        if (tenant := self.options.tenant) is not None:
            metadatas = self._arguments.tenant_metadatas or self._arguments.metadatas
            names = self._database_names(app)
            return tenant_databases(app, metadatas, names, tenant)

        if self._base is not None:
            return self._base.databases(app).only(self.options.databases)

        return find_databases(app, self.sources(app))

    def urls(self, app: App) -> dict[str, sa.URL]:
        """Return the URL of each database, by its name."""
        from .databases import find_urls
        from .databases import only

        if self.options.tenant is not None:
            return self.databases(app).urls

        if self._base is not None:
            return only(self._base.urls(app), self.options.databases)

        if self._databases is not None:
            return self._databases.urls

        return find_urls(app, self.sources(app))

    def history(self, app: App) -> History:
        """Return the history, read again if a file in it has changed."""
        from ..history.history import History

        if not self._has_history and self._base is not None:
            return self._base.history(app)

        with self._history_lock:
            if self._history is None or self._history.files.is_stale():
                previous = self._history.files if self._history else None
                settings = self.settings(app)
                files = self._read_files(app, settings, previous)
                names = settings.database_names
                # Holds no reference to the app.
                make_config = functools.partial(
                    self._build_config, settings, self._names(app, names)
                )
                self._history = History(files, names, make_config)

            return self._history

    def scripts(self, app: App) -> Scripts:
        """Return Alembic's script directory."""
        return self.history(app).scripts

    def project(self, app: App, rev_id: c.Callable[[], str]) -> Project:
        """Return the files and settings that a command needs."""
        from .known_settings import check_spelling
        from .project import Project

        check_spelling(app.config)
        return Project(self.settings(app), self.history(app), rev_id, app)

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
