"""Migrates with the lock and the session settings, and retries if a revision cannot
get a lock on a table.
"""

from __future__ import annotations

import collections.abc as c
import typing as t

from sqlalchemy.exc import SQLAlchemyError

from ..dialects.migrated import is_usable
from ..errors import AsyncAlembicError
from ..errors import DatabaseError
from ..errors import MigrationError
from ..errors import ReadOnlyError
from ..errors import TargetError
from ..results import Outcome
from .events import log
from .locking import backoff
from .locking import Locks
from .transactions import begin_transactions

if t.TYPE_CHECKING:
    from ..results import LockHolder
    from .environment import Environment
    from .transactions import Transactions

#: The first delay before a retry, in seconds.
RETRY_DELAY = 0.1


def migrate_exclusively(
    env: Environment,
    names: c.Collection[str],
    work: c.Callable[[Transactions], None],
) -> None:
    """Call a function that migrates databases while no other migrator does.

    :param env: The files and the open databases.
    :param names: The names of the databases.
    :param work: Called inside the transactions, which are rolled back if it fails.
        Called again up to ``ALEMBIC_RETRIES`` times if it cannot get a lock.
    """
    if not names:
        return

    try:
        _migrate_exclusively(env, names, work)
    finally:
        # Nothing is left to do but to close.
        env.databases.time_limit.start()
        env.databases.on_change(names)


def _migrate_exclusively(
    env: Environment,
    names: c.Collection[str],
    work: c.Callable[[Transactions], None],
) -> None:
    env.load()
    retries = env.project.settings.retries
    delays = backoff(RETRY_DELAY)

    _find_places(env, names)
    locks = Locks(env, names)

    for retry in range(retries + 1):
        try:
            with begin_transactions(env, names, locks) as transactions:
                work(transactions)

            return
        except (MigrationError, SQLAlchemyError) as e:
            blocked = _add_blocker(env, names, e)

            if blocked is None or retry == retries or getattr(e, "partial", None):
                failed = blocked or e

                if isinstance(failed, MigrationError):
                    raise _located(env, failed) from e.__cause__

                if blocked is None:
                    raise

                raise blocked from e

            log.warning("%s Retrying, %d of %d.", blocked, retry + 1, retries)

        env.databases.time_limit.stop()
        env.databases.sleep(next(delays))


def _find_places(env: Environment, names: c.Iterable[str]) -> None:
    """Find where the version tables are. Check that they can be written to, and that no
    two names are the same database, whose second transaction would wait for the first.
    """
    found: dict[tuple[str | None, ...], str] = {}

    for name in names:
        # In the transaction that has found revisions to run, which saves round trips.
        place = env.find_place(name)

        if place.is_read_only:
            raise ReadOnlyError(name)

        if place.database is None:
            continue

        other = found.setdefault((place.database, place.schema), name)

        if other != name and env.server(name) == env.server(other):
            raise TargetError(
                f"The engines '{other}' and '{name}' connect to the same database, and"
                " would use the same version table. Remove one of them, or give it"
                " another schema."
            )


def _add_blocker(
    env: Environment, names: c.Collection[str], error: Exception
) -> AsyncAlembicError | None:
    """Add the blocking session to an error, or return ``None`` if it is not about a
    lock.
    """
    cause = error.__cause__ if isinstance(error, MigrationError) else error

    for name in names:
        if env.is_blocked(name, cause):
            blocker = _find_blocker(env, name, cause)

            if isinstance(error, MigrationError):
                return error.blocked_by(blocker)

            return DatabaseError(error, blocker)

    return None


def _located(env: Environment, error: MigrationError) -> MigrationError:
    """Add to an error where the database is, as far as it can be asked. A revision may
    have committed something that SQLAlchemy does not know of.
    """
    outcome, connection = error.outcome, env.connection(error.database)

    if outcome is None or error.partial or not is_usable(connection):
        return error

    try:
        now = env.current_heads(error.database, is_missing=not outcome.before)
        env.end_transaction(error.database)
    except Exception:
        # The error of the revision matters, whatever is wrong with the connection.
        return error

    return error.ended_with(Outcome(outcome.before, now, outcome.has_committed))


def _find_blocker(
    env: Environment, name: str, error: BaseException | None
) -> LockHolder | None:
    connection = env.idle_connection(name)
    statement = getattr(error, "statement", None)

    try:
        return env.dialect(name).blocker(connection, statement)
    finally:
        connection.rollback()
