"""A connection during a migration."""

from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

from sqlalchemy import event
from sqlalchemy.sql import elements

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.operations import BatchOperations

    from .journals import Journal
    from .journals import Recorded

Block: t.TypeAlias = c.Callable[[], contextlib.AbstractContextManager[None]]
#: ``batch_alter_table`` of Alembic's operations.
Batch: t.TypeAlias = c.Callable[
    ..., contextlib.AbstractContextManager["BatchOperations"]
]

_SAVEPOINTS = (
    elements.SavepointClause,
    elements.ReleaseSavepointClause,
    elements.RollbackToSavepointClause,
)


class MigratedConnection:
    """A connection during a migration.

    :param connection: A connection outside of a transaction.
    :ivar has_committed: Whether the running revision has ended its transaction, so that
        a part of it stays applied.
    """

    #: Whether it has written, or found, a record of a revision.
    has_journal: bool = False

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.has_committed: bool = False

    def record(
        self,
        journal: Journal,
        details: dict[str, t.Any],
        recorded: Recorded | None,
    ) -> None:
        """Record the next revision in a journal.

        :param journal: The journal, on this connection.
        :param details: The revision, its direction and target, as in
            :class:`.PartialRevision`.
        :param recorded: What is recorded of the revision, if it is resumed.
        """

    def in_revision(self) -> contextlib.AbstractContextManager[None]:
        """Return a context for the code of a revision."""
        return contextlib.nullcontext()

    def on_revision_end(self) -> None:
        """Called after a revision, when the version table is updated."""

    def settle_failure(self, journal: Journal) -> None:
        """Record what is known about the revision that has failed.

        :param journal: The journal, on another connection.
        """

    def advice(self, error: BaseException) -> str | None:
        """Return what to write instead, if the migration is the cause of an error.

        :param error: The error of the revision.
        """
        return None

    def swallowed(self, error: BaseException) -> str | None:
        """Return the statement that has failed before another one did, if that is the
        cause of an error.

        :param error: The error of the revision.
        """
        return None

    def resume(self) -> bool:
        """Prepare the next revision.

        :return: Whether the plan is still valid. If not, another migrator has changed
            the database since the last revision.
        """
        return True

    @contextlib.contextmanager
    def autocommit_block(self, block: Block) -> c.Iterator[None]:
        """Leave the transaction, for a revision's ``autocommit_block``.

        :param block: Alembic's own block, which commits, and begins again at the end.
        """
        is_switching = True
        self.has_committed = True

        try:
            with block():
                is_switching = False
                yield
                is_switching = True
        except BaseException:
            # The connection must not go back to the pool in autocommit mode.
            if is_switching and is_usable(self._connection):
                self._connection.invalidate()

            raise

    def batch_alter_table(
        self, batch: Batch, *args: t.Any, **kwargs: t.Any
    ) -> contextlib.AbstractContextManager[BatchOperations]:
        """Change a table, for a revision's ``batch_alter_table``.

        :param batch: Alembic's own function, which changes the table at the end.
        :param args: Its arguments.
        """
        return batch(*args, **kwargs)


@contextlib.contextmanager
def listening(
    connection: sa.Connection,
    listeners: c.Mapping[str, c.Callable[..., t.Any]],
    retval: c.Collection[str] = (),
) -> c.Iterator[None]:
    """Listen to events of a connection.

    :param listeners: The listeners, by the name of the event.
    :param retval: The events whose listeners return what is to be executed.
    """
    for name, listener in listeners.items():
        options = {"retval": True} if name in retval else {}
        event.listen(connection, name, listener, **options)

    try:
        yield
    finally:
        for name, listener in listeners.items():
            event.remove(connection, name, listener)


def is_autocommit(connection: sa.Connection) -> bool:
    """Return whether a connection is in autocommit mode, as SQLAlchemy sees it."""
    options = connection.get_execution_options()
    return bool(options.get("isolation_level") == "AUTOCOMMIT")


def is_usable(connection: sa.Connection) -> bool:
    return not connection.closed and not connection.invalidated


def is_savepoint(context: t.Any) -> bool:
    """Return whether SQLAlchemy sets, releases or rolls back to a savepoint. It numbers
    them by connection, so that they differ between two runs.

    :param context: SQLAlchemy's execution context.
    """
    return isinstance(getattr(context, "invoked_statement", None), _SAVEPOINTS)
