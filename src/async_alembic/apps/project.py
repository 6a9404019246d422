"""The migration files and settings of one app."""

from __future__ import annotations

import collections.abc as c
import typing as t

if t.TYPE_CHECKING:
    from alembic.config import Config
    from flask.sansio.app import App

    from ..history.database_names import DatabaseNames
    from ..history.files import RevisionFiles
    from ..history.history import History
    from ..history.scripts import Scripts
    from .settings import Settings


class Project(t.NamedTuple):
    """The migration files and settings of one app.

    :param settings: The app's settings.
    :param history: The revision files, and Alembic's scripts of them.
    :param rev_id: Returns an id for a new revision.
    :param sender: The app, which sends the signals. Without one, none are sent.
    """

    settings: Settings
    history: History
    rev_id: c.Callable[[], str]
    sender: App | None = None

    @property
    def without_signals(self) -> Project:
        """The same without a sender, for what is not done to the app's databases."""
        return Project(self.settings, self.history, self.rev_id)

    @property
    def config(self) -> Config:
        """Alembic's config, built from the settings."""
        return self.history.make_config()

    @property
    def database_names(self) -> DatabaseNames:
        """What the revisions call the databases."""
        return self.history.database_names

    @property
    def files(self) -> RevisionFiles:
        """The revision files."""
        return self.history.files

    @property
    def scripts(self) -> Scripts:
        """Alembic's script directory."""
        return self.history.scripts
