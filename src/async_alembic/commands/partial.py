"""What is done about a revision that has failed where DDL cannot be rolled back."""

from __future__ import annotations

import collections.abc as c
import typing as t

from alembic.util import to_tuple

from ..dialects import is_usable
from ..errors import first_line
from ..errors import PartialRevisionError
from ..migration.locking import log
from ..results import PartialRevision

if t.TYPE_CHECKING:
    from alembic.script import Script

    from ..migration.environment import Environment


def refuse_partial(
    env: Environment, name: str, heads: c.Iterable[str], *, retry: bool
) -> None:
    """Refuse to go on where a revision is half applied.

    :param name: The name of the database.
    :param heads: Where it is.
    :param retry: Forget the revision instead, as it was undone by hand.
    :raises PartialRevisionError: If there is such a revision.
    """
    if env.dialect(name).is_atomic:
        return

    record = env.partial_record(name)
    partial = record.read(name, heads)

    if partial is not None and not retry:
        raise PartialRevisionError(partial)

    if retry:
        record.clear()


def has_partial(env: Environment, name: str) -> bool:
    """Whether it is kept of a database that a revision is half applied."""
    if env.dialect(name).is_atomic:
        return False

    try:
        return env.partial_record(name).is_there()
    finally:
        env.stop_reading(name)


def forget_partial(env: Environment, name: str) -> None:
    """Forget the revision, as somebody says where the database is."""
    if not env.dialect(name).is_atomic:
        env.partial_record(name).clear()


def find_partial(
    env: Environment, name: str, direction: str, script: Script, error: BaseException
) -> PartialRevision | None:
    """What is left of a revision.

    :param name: The name of the database.
    :param direction: ``"upgrade"`` or ``"downgrade"``.
    :param script: The revision.
    :param error: What it has failed with.
    """
    left_over = env.migrations[name].left_over(error)

    if left_over is None:
        return None

    target = script.revision

    if direction == "downgrade":
        # With other branches beside it, only 'base' would be too much.
        below = to_tuple(script.down_revision, default=())
        target = " ".join(below) or f"{script.revision}@base"

    return PartialRevision(
        name,
        script.revision,
        direction,
        target,
        left_over.applied,
        left_over.failed,
        left_over.interrupted,
        left_over.uncertain,
    )


def keep_partial(env: Environment, partial: PartialRevision) -> bool:
    """Keep what is left of a revision, for whoever migrates next.

    :return: Whether it is half applied, as far as can be told.
    """
    connection = env.databases.connections[partial.database]

    try:
        if is_usable(connection):
            connection.rollback()

        # What was broken off may not execute anything any more.
        with env.databases.connect(partial.database) as other:
            return env.partial_record(partial.database, other).write(partial)
    except Exception as e:
        log.warning("No record can be kept, as %s. %s", first_line(e), partial)
        return True
