"""The turn of one migrator: with the lock and the settings, and again if a revision
could not get a lock of a table.
"""

from __future__ import annotations

import collections.abc as c
import typing as t

from sqlalchemy.exc import SQLAlchemyError

from ..errors import AsyncAlembicError
from ..errors import DatabaseError
from ..errors import MigrationError
from .locking import backoff
from .locking import log

if t.TYPE_CHECKING:
    from .environment import Environment

#: The first delay before trying again, in seconds.
RETRY_DELAY = 0.1


def take_turn(
    env: Environment, names: c.Collection[str], work: c.Callable[[], None]
) -> None:
    """Call a function that migrates databases, when no other migrator does.

    :param names: The names of the databases.
    :param work: Called inside of their transactions, which are rolled back if it fails;
        again if a lock could not be had, up to ``ALEMBIC_RETRIES`` times.
    """
    if not names:
        return

    retries = env.project.settings.retries
    delays = backoff(RETRY_DELAY)

    with env.locked(names), env.session(names):
        for retry in range(retries + 1):
            try:
                with env.migrating(names):
                    work()

                return
            except (MigrationError, SQLAlchemyError) as e:
                blocked = _explain(env, names, e)

                if blocked is None:
                    raise

                if retry == retries or getattr(e, "partial", None):
                    raise blocked from (e.__cause__ or e)

                log.warning("%s Trying again, %d of %d.", blocked, retry + 1, retries)

            env.databases.sleep(next(delays))


def _explain(
    env: Environment, names: c.Collection[str], error: Exception
) -> AsyncAlembicError | None:
    """The error with who was in the way, or ``None`` if it was no lock."""
    cause = error.__cause__ if isinstance(error, MigrationError) else error

    for name in names:
        if env.is_blocked(name, cause):
            blocker = env.blocker(name, cause)

            if isinstance(error, MigrationError):
                return error.blocked_by(blocker)

            return DatabaseError(error, blocker)

    return None
