"""What :class:`.Alembic` and :class:`.SyncAlembic` share: registering an app, and the
properties that need no database.
"""

from __future__ import annotations

import datetime as dt
import os
import threading
import typing as t

from ..apps.registry import Registry

if t.TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from flask import Flask
    from flask.sansio.app import App

    from ..apps.databases import EngineSource
    from ..apps.databases import Metadatas
    from ..apps.project import Project
    from ..apps.settings import Settings
    from ..cli.protocol import Migrations
    from ..results import Report

_rev_id_lock = threading.Lock()
_last_rev_id = 0


class BaseAlembic:
    """Registers apps, and has the properties that need no database."""

    #: Which engines of a SQLAlchemy extension are taken if it has both kinds.
    _prefer_async: t.ClassVar[bool]
    _registry: Registry

    @property
    def _blocking(self) -> Migrations:
        """The methods for the command line."""
        raise NotImplementedError

    def _close_at_teardown(self, app: App) -> None:
        """Close the connections that are held open in an app context at its end."""
        raise NotImplementedError

    def __init__(
        self,
        app: App | None = None,
        *,
        metadatas: Metadatas | None = None,
        engines: EngineSource | None = None,
        run_mkdir: bool = True,
        command_name: str = "db",
    ) -> None:
        self._registry = Registry(metadatas, engines, self._prefer_async)
        self.run_mkdir = run_mkdir
        self.command_name = command_name

        if app is not None:
            self.init_app(app)

    def init_app(self, app: App) -> None:
        """Register this extension on an app. Nothing is connected to.

        :param app: A Flask or a Quart app.
        :raises ConfigurationError: If its ``ALEMBIC`` config is of the wrong shape.
        """
        state = self._registry.add(app)
        app.extensions["alembic"] = self

        if self.run_mkdir and _lacks_folders(state.settings(app)):
            self._mkdir(app)

        self._close_at_teardown(app)

        if self.command_name:
            from ..cli.group import MigrationGroup

            group = MigrationGroup(self.command_name, app, self._blocking)
            t.cast("Flask", app).cli.add_command(group)

    def rev_id(self) -> str:
        """Make an id for a new revision: the UTC time in seconds, and no id twice.

        Override this method, or assign a function, to make other ids.
        """
        global _last_rev_id

        with _rev_id_lock:
            now = int(dt.datetime.now(dt.UTC).timestamp())
            _last_rev_id = max(now, _last_rev_id + 1)
            return str(_last_rev_id)

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

    def _mkdir(self, app: App) -> None:
        from ..commands.generate import mkdir

        state = self._registry.state(app)
        mkdir(state.config(app), state.settings(app), len(state.names(app)) > 1)

    def _app(self) -> App:
        """The app that is meant.

        :raises AppError: If there is none, or it is not clear which.
        """
        return self._registry.app()

    def _report(self) -> Report | None:
        """What to call for each revision that is applied."""
        return None


def _lacks_folders(settings: Settings) -> bool:
    """Whether a folder of the script directory is yet to be made. Told without Alembic,
    as this is asked at every start.
    """
    template = os.path.join(settings.script_location, "script.py.mako")
    folders = settings.version_locations
    return not os.path.exists(template) or not all(map(os.path.isdir, folders))
