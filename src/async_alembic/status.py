"""Where a database stands, compared with the code."""

from __future__ import annotations

import dataclasses
import typing as t

if t.TYPE_CHECKING:
    from alembic.script import Script

State: t.TypeAlias = t.Literal["current", "behind", "ahead", "diverged", "empty"]


@dataclasses.dataclass(frozen=True)
class DatabaseStatus:
    """Where one database stands, compared with the revision files.

    :param state: ``"current"``: at every head. ``"behind"``: revisions are pending.
        ``"empty"``: no revision was ever applied, and some are pending. ``"ahead"``:
        at revisions that this code does not have. ``"diverged"``: both ahead and
        behind.
    :param current: The ids of the revisions that the database is at.
    :param unknown: Those among them that this code does not have.
    :param heads: The ids of the heads of the revision files.
    :param pending: The revisions that an upgrade would apply, in that order.
    """

    state: State
    current: tuple[str, ...]
    unknown: tuple[str, ...]
    heads: tuple[str, ...]
    pending: tuple[Script, ...]
