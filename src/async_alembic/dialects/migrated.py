"""A connection while it is migrated."""

from __future__ import annotations

import collections.abc as c
import contextlib
import dataclasses
import typing as t

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.operations import BatchOperations

Block: t.TypeAlias = c.Callable[[], contextlib.AbstractContextManager[None]]
#: ``batch_alter_table`` of Alembic's operations.
Batch: t.TypeAlias = c.Callable[
    ..., contextlib.AbstractContextManager["BatchOperations"]
]


@dataclasses.dataclass(frozen=True)
class AppliedStatements:
    """What is left of a revision that has failed, where not all can be rolled back.

    :param applied: The statements that were applied.
    :param failed: The statement that failed; ``None`` if it was no statement.
    :param interrupted: Whether it is not known if that one was applied.
    :param uncertain: The statements before it that are applied if that one is, which
        commits them.
    """

    applied: tuple[str, ...]
    failed: str | None
    interrupted: bool
    uncertain: tuple[str, ...]


class MigratedConnection:
    """A connection that is being migrated.

    :param connection: A connection that is not in a transaction.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def on_revision_start(self) -> None:
        """A revision begins."""

    def on_revision_end(self) -> None:
        """It is done, and the database says so."""

    def applied_statements(self, error: BaseException) -> AppliedStatements | None:
        """What is left of the revision that was begun.

        :param error: What it has failed with.
        """
        return None

    def resume(self) -> bool:
        """Whether the next revision can follow the last one, as no other migrator came
        in between. Else it must be looked anew where the database is.
        """
        return True

    @contextlib.contextmanager
    def autocommit_block(self, block: Block) -> c.Iterator[None]:
        """What a revision enters to leave the transaction.

        :param block: Alembic's own, which commits, and begins again at its end.
        """
        is_switching = True

        try:
            with block():
                is_switching = False
                yield
                is_switching = True
        except BaseException:
            # Whoever gets the connection next must not find it in autocommit mode.
            if is_switching and is_usable(self._connection):
                self._connection.invalidate()

            raise

    def batch_alter_table(
        self, batch: Batch, *args: t.Any, **kwargs: t.Any
    ) -> contextlib.AbstractContextManager[BatchOperations]:
        """What a revision enters to change a table as a whole.

        :param batch: Alembic's own, which changes the table at its end.
        :param args: The arguments of that.
        """
        return batch(*args, **kwargs)


def is_usable(connection: sa.Connection) -> bool:
    return not connection.closed and not connection.invalidated
