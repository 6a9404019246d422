"""Handles a revision that is half applied because DDL cannot be rolled back. A journal
in the database records it.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import enum
import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ..dialects.companion_tables import partial_table
from ..dialects.migrated import is_usable
from ..errors import ConfigurationError
from ..errors import first_line
from ..errors import PartialRevisionError
from ..history.headers import as_tuple
from ..results import PartialRevision
from .events import log

if t.TYPE_CHECKING:
    from alembic.script import Script

    from ..dialects.journals import Journal
    from ..dialects.journals import Recorded
    from ..dialects.migrated import MigratedConnection
    from .environment import Environment


class Way(enum.Enum):
    """What to do about a half-applied revision."""

    REFUSE = enum.auto()
    #: Run it again from its start, as the user has undone it by hand.
    RETRY = enum.auto()
    #: Run what is not applied.
    RESUME = enum.auto()

    @classmethod
    def of(cls, retry: bool, resume: bool) -> Way:
        """Return the way that the arguments of a command say.

        :raises ConfigurationError: If they say both.
        """
        if retry and resume:
            raise ConfigurationError(
                "'retry' and 'resume' exclude each other. Use 'resume' to continue a"
                " half-applied revision, or 'retry' after it was undone by hand."
            )

        return cls.RETRY if retry else cls.RESUME if resume else cls.REFUSE


def check(
    env: Environment, name: str, heads: c.Collection[str], way: Way
) -> Recorded | None:
    """Check that no revision is half applied.

    :param env: The open databases.
    :param name: The name of the database.
    :param heads: The ids of the revisions that the database is at.
    :param way: What to do if one is.
    :return: The record of the revision that is to be resumed, if there is one.
    :raises PartialRevisionError: If a revision is half applied, and not to be retried
        or resumed.
    """
    journal = journal_of(env, name)

    if journal is None or not journal.exists():
        return None

    recorded = journal.read(name, heads)

    if recorded is None:
        _drop_outdated(journal)
        return None

    if way is Way.RETRY:
        journal.clear()
        return None

    if way is Way.REFUSE or not recorded.partial.resumable:
        raise PartialRevisionError(recorded.partial)

    return recorded


def has_record(env: Environment, name: str) -> bool:
    """Return whether a database has a record of a half-applied revision."""
    try:
        return is_recorded(env, name)
    finally:
        env.end_transaction(name)


def find(
    env: Environment, name: str, heads: c.Collection[str]
) -> PartialRevision | None:
    """Return the revision of a database that is half applied, if one is.

    :param heads: The ids of the revisions that the database is at.
    """
    journal = journal_of(env, name)

    if journal is None or not journal.exists():
        return None

    recorded = journal.read(name, heads)
    return None if recorded is None else recorded.partial


def is_recorded(env: Environment, name: str) -> bool:
    """The same, within the transaction of a migration."""
    journal = journal_of(env, name)
    return journal is not None and journal.exists()


def clear(env: Environment, name: str) -> None:
    """Delete the record, as the user has stamped the database."""
    journal = journal_of(env, name)

    if journal is not None and journal.exists():
        journal.clear()


def finish(env: Environment, name: str, migrated: MigratedConnection) -> None:
    """Delete the record, as the revisions are done."""
    journal = journal_of(env, name)

    if journal is not None and migrated.has_journal:
        # All is committed, and the server may not answer any more.
        env.databases.time_limit.start()
        _drop_outdated(journal)
        env.databases.time_limit.stop()


def _drop_outdated(journal: Journal) -> None:
    # Without the privilege, it stays, and the next revision uses it.
    with contextlib.suppress(DBAPIError):
        journal.clear()


def describe(direction: str, script: Script) -> dict[str, t.Any]:
    """Return those fields of a :class:`.PartialRevision` that are known before it runs.

    :param direction: ``"upgrade"`` or ``"downgrade"``.
    :param script: The revision.
    """
    target = script.revision

    if direction == "downgrade":
        # 'base' alone would remove the revisions of other branches too.
        below = as_tuple(script.down_revision)
        target = " ".join(below) or f"{script.revision}@base"

    return {"revision": script.revision, "direction": direction, "target": target}


def settle(
    env: Environment,
    name: str,
    migrated: MigratedConnection,
    details: dict[str, t.Any],
    *,
    is_interrupted: bool,
) -> PartialRevision | None:
    """Complete the record after a failure.

    :param env: The open databases.
    :param name: The name of the database.
    :param migrated: The connection of the revision that has failed.
    :param details: The fields of :func:`describe`.
    :param is_interrupted: Whether its last statement may still run.
    :return: The revision, if it is half applied.
    """
    connection = env.connection(name)

    try:
        if is_usable(connection):
            connection.rollback()

        # An interrupted connection may not be able to execute anything.
        with env.databases.connect(name) as other:
            journal = journal_of(env, name, other)
            assert journal is not None
            migrated.settle_failure(journal)
            recorded = journal.read(name, _heads_on(env, name, other))
            exists = journal.exists()
    except Exception as e:
        partial = PartialRevision(
            name, applied=(), failed=None, interrupted=True, **details
        )
        log.warning("Cannot complete the record: %s. %s", first_line(e), partial)
        return partial

    if recorded is not None:
        return recorded.partial

    own = journal_of(env, name)

    # Another connection would wait for this one.
    if own is not None and exists and is_usable(connection) and not is_interrupted:
        _drop_outdated(own)

    return None


def _heads_on(
    env: Environment, name: str, connection: sa.Connection
) -> tuple[str, ...] | None:
    try:
        return env.heads_on(name, connection)
    except DBAPIError:
        # The revision has dropped the version table.
        return None


def journal_of(
    env: Environment, name: str, connection: sa.Connection | None = None
) -> Journal | None:
    """Return the journal of a database, if it needs one.

    :param connection: The connection to use instead of the migrating one.
    """
    return env.dialect(name).journal(
        connection or env.connection(name),
        partial_table(env.version_table),
        env.version_table,
        env.version_schema(name),
    )
