"""The migration files and settings of one app."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import typing as t

if t.TYPE_CHECKING:
    from alembic.config import Config

    from ..history.scripts import Scripts
    from .settings import Settings


@dataclasses.dataclass(frozen=True)
class Project:
    """The migration files and settings of one app.

    :param settings: The app's settings.
    :param config: Alembic's config, built from the settings.
    :param scripts: The script directory.
    :param rev_id: Returns an id for a new revision.
    """

    settings: Settings
    config: Config
    scripts: Scripts
    rev_id: c.Callable[[], str]
