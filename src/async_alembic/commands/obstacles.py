"""What keeps a database from an upgrade now."""

from __future__ import annotations

import collections.abc as c
import typing as t

from ..migration import half_applied
from ..migration.locking import find_holder

if t.TYPE_CHECKING:
    from ..migration.environment import Environment


def find_obstacle(
    env: Environment, name: str, heads: c.Collection[str]
) -> dict[str, t.Any]:
    """Return the last fields of a :class:`.DatabaseStatus`.

    :param env: The open databases.
    :param name: The name of the database.
    :param heads: The ids of the revisions that the database is at.
    """
    holder = find_holder(env, name)
    # The record of a revision that is running is not one of a failure.
    partial = half_applied.find(env, name, heads) if holder is None else None
    return {"lock_holder": holder, "partial": partial}
