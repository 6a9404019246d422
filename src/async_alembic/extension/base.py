"""The base of :class:`.Alembic` and :class:`.SyncAlembic`: registers apps, and has the
properties that need no database.
"""

from __future__ import annotations

import collections
import collections.abc as c
import contextlib
import copy
import datetime as dt
import os
import threading
import typing as t

from .. import commands
from ..apps.arguments import Arguments
from ..apps.names import default_name
from ..apps.registry import Registry
from ..apps.tenants import named_tenant
from .hooks import HookDecorators

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from flask import Flask
    from flask.sansio.app import App

    from ..apps.databases import EngineSource
    from ..apps.databases import Metadatas
    from ..apps.moving_in import Move
    from ..apps.project import Project
    from ..apps.settings import Settings
    from ..apps.tenants import TenantSource
    from ..cli.protocol import Migrations
    from ..commands.generate import NewRevision
    from ..commands.sql import Offline

_rev_id_lock = threading.Lock()
_last_rev_id = 0
#: Held while a revision is written, by folder.
_writing_turns: collections.defaultdict[str, threading.Lock] = collections.defaultdict(
    threading.Lock
)


class BaseAlembic(HookDecorators):
    """Registers apps, and has the properties that need no database."""

    #: Whether to use the async engines of a SQLAlchemy extension that has both kinds.
    _prefer_async: t.ClassVar[bool]

    @property
    def _blocking(self) -> Migrations:
        """The blocking methods for the command line."""
        raise NotImplementedError

    def _close_at_teardown(self, app: App) -> None:
        """Close the connections of an app context at the end of the context."""
        raise NotImplementedError

    def __init__(
        self,
        app: App | None = None,
        *,
        metadatas: Metadatas | None = None,
        engines: EngineSource | None = None,
        run_mkdir: bool = True,
        command_name: str = "db",
        tenants: TenantSource | None = None,
        tenant_metadatas: Metadatas | None = None,
    ) -> None:
        self._registry = Registry(
            Arguments(metadatas, engines, self._prefer_async, tenants, tenant_metadatas)
        )
        self.run_mkdir = run_mkdir
        self.command_name = command_name

        if app is not None:
            self.init_app(app)

    def init_app(self, app: App) -> None:
        """Register this extension on an app, without connecting.

        :param app: A :class:`~flask.Flask` or :class:`~quart.app.Quart` app.
        :raises ConfigurationError: If the app's ``ALEMBIC`` config is invalid.
        """
        self._registry.add(app)
        app.extensions["alembic"] = self

        if self.run_mkdir:
            self._mkdir(app, only_missing=True)

        self._close_at_teardown(app)

        if self.command_name:
            from ..cli.group import MigrationGroup

            group = MigrationGroup(self.command_name, app, self._blocking)
            t.cast("Flask", app).cli.add_command(group)

    def rev_id(self) -> str:
        """Return an id for a new revision: the UTC time in seconds, or more, so that no
        id is returned twice.

        Override this method, or assign a function, to create other ids.
        """
        global _last_rev_id

        with _rev_id_lock:
            now = int(dt.datetime.now(dt.UTC).timestamp())
            _last_rev_id = max(now, _last_rev_id + 1)
            return str(_last_rev_id)

    def with_options(
        self,
        *,
        database: str | c.Iterable[str] | None = None,
        directory: str | os.PathLike[str] | None = None,
        x_args: c.Iterable[str] | None = None,
        tenant: str | None = None,
    ) -> t.Self:
        """Return an extension for the same apps whose methods have other options. What
        is not given stays as it is.

        :param database: The name or names of the databases to use, instead of all.
        :param directory: The script directory to use, instead of ``script_location``.
            A relative path starts at the working directory.
        :param x_args: What ``context.get_x_argument()`` returns in a revision.
        :param tenant: The name of the tenant whose history and database to use.
        """
        options: dict[str, t.Any] = {}

        if database is not None:
            names = [database] if isinstance(database, str) else database
            options["databases"] = tuple(names)

        if directory is not None:
            options["directory"] = os.path.abspath(directory)

        if x_args is not None:
            options["x_args"] = tuple(x_args)

        if tenant is not None:
            options["tenant"] = named_tenant(tenant)

        return self._with_registry(self._registry.with_options(**options))

    def _with_registry(self, registry: Registry) -> t.Self:
        view = copy.copy(self)
        view._registry = registry
        return view

    @property
    def config(self) -> Config:
        """The current app's Alembic config. No database is needed."""
        app = self._app()
        return self._registry.state(app).config(app)

    @property
    def script_directory(self) -> ScriptDirectory:
        """The current app's script directory. No database is needed."""
        app = self._app()
        return self._registry.state(app).scripts(app)

    @property
    def script(self) -> ScriptDirectory:
        """Short for :attr:`script_directory`."""
        return self.script_directory

    def _project(self, app: App) -> Project:
        return self._registry.state(app).project(app, lambda: self.rev_id())

    def _writing_turn(self) -> threading.Lock:
        """The lock for writing revisions to the current app's folder."""
        app = self._app()
        return _writing_turns[self._registry.state(app).settings(app).script_location]

    def _urls(self) -> dict[str, sa.URL]:
        """The URLs of the current app's databases."""
        app = self._app()
        return self._registry.state(app).urls(app)

    def _offline(self, app: App) -> Offline:
        from ..commands.sql import Offline

        state = self._registry.state(app)
        return Offline(state.urls(app), default_name(state.names(app)))

    def _guarded(self) -> contextlib.AbstractContextManager[None]:
        """Keep revisions away from the current app's engines."""
        from ..apps.guarded_engines import guarded

        app = self._app()
        return guarded(self._registry.state(app).databases(app).engines)

    def _mkdir(self, app: App, *, only_missing: bool = False) -> None:
        """Create the script directory, and that of the tenants.

        :param only_missing: Whether to leave alone what has all folders.
        """
        for state in self._registry.states_with_history(app):
            settings = state.settings(app)

            if not only_missing or _needs_mkdir(settings):
                several = len(state.names(app)) > 1
                commands.script_directory.mkdir(state.config(app), settings, several)

    def _plan_move(self) -> Move:
        from ..apps.moving_in import plan_move

        app = self._app()
        return plan_move(self._registry.state(app).settings(app))

    def _write_settings(self, move: Move) -> str | None:
        from ..apps.moving_in import write_settings

        return write_settings(move, self._app().root_path)

    def _with_config(self, config: c.Mapping[str, t.Any]) -> t.Self:
        """Return an extension for the same apps, with another config."""
        return self._with_registry(self._registry.with_options(config=config))

    def _for_trying(self, **settings: t.Any) -> t.Self:
        """Return an extension for the same apps, to try revisions out.

        :param settings: Other settings in ``ALEMBIC``.
        """
        app = self._app()
        config = dict(self._registry.state(app).settings(app).app_config)
        config["ALEMBIC"] = {**config["ALEMBIC"], **settings}
        # The databases are new.
        config["ALEMBIC_LOCK"] = False
        config["ALEMBIC_DROP_UNKNOWN_TABLES"] = True
        return self._with_config(config)

    def _needs_database(self, app: App, new: NewRevision) -> bool:
        config = self._registry.state(app).config(app)
        return bool(commands.generate.needs_database(config, new))

    def _init(
        self, app: App, template: str | None, package: bool, env_py: bool
    ) -> list[str]:
        from ..apps.env_py_files import EnvPyFiles

        state = self._registry.state(app)
        several = len(state.names(app)) > 1
        created: list[str] = commands.script_directory.init(
            state.config(app),
            state.settings(app),
            several,
            template,
            package,
            EnvPyFiles.of(app) if env_py else None,
        )
        return created

    def _app(self) -> App:
        """Return the current app, or the only registered one.

        :raises AppError: If there is no app, or there are several and none is current.
        """
        return self._registry.app()


def _needs_mkdir(settings: Settings) -> bool:
    """Whether a folder of the script directory is missing. Runs at every start of the
    app, so it does not import Alembic.
    """
    template = os.path.join(settings.script_location, "script.py.mako")
    folders = settings.version_locations

    if os.path.exists(template) and all(map(os.path.isdir, folders)):
        return False

    from ..apps.nearby import find_nearby

    # Which folder is meant is asked by the first command.
    return find_nearby(settings) is None
