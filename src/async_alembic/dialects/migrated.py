"""A connection during a migration."""

from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

from sqlalchemy import event

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.operations import BatchOperations

Block: t.TypeAlias = c.Callable[[], contextlib.AbstractContextManager[None]]
#: ``batch_alter_table`` of Alembic's operations.
Batch: t.TypeAlias = c.Callable[
    ..., contextlib.AbstractContextManager["BatchOperations"]
]


class AppliedStatements(t.NamedTuple):
    """The statements of a failed revision that were not rolled back.

    :param applied: The statements that were applied.
    :param failed: The statement that failed; ``None`` if something else failed.
    :param interrupted: Whether it is unknown if the failed statement was applied.
    :param uncertain: The statements before the failed one that it commits, so that they
        are applied only if it is.
    """

    applied: tuple[str, ...]
    failed: str | None
    interrupted: bool
    uncertain: tuple[str, ...]


class MigratedConnection:
    """A connection during a migration.

    :param connection: A connection outside of a transaction.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def on_revision_start(self) -> None:
        """Called before a revision runs."""

    def in_revision(self) -> contextlib.AbstractContextManager[None]:
        """Return a context for the code of a revision."""
        return contextlib.nullcontext()

    def on_revision_end(self) -> None:
        """Called after a revision, when the version table is updated."""

    def applied_statements(self, error: BaseException) -> AppliedStatements | None:
        """Return what was not rolled back of the revision that failed.

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
