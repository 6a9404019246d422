"""What a revision calls of Alembic, and is the database's own here."""

from __future__ import annotations

import collections.abc as c
import contextlib
import functools
import typing as t

if t.TYPE_CHECKING:
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    from ..dialects import MigratedConnection


@contextlib.contextmanager
def overridden(
    context: MigrationContext,
    ops: Operations,
    migration: MigratedConnection,
    check: c.Callable[[], None],
) -> c.Iterator[None]:
    """Let ``autocommit_block`` and ``batch_alter_table`` be the database's.

    :param context: The context of the database.
    :param ops: Its operations.
    :param migration: Knows how the database does it.
    :param check: Called before a revision leaves the transaction.
    """
    block_of_alembic = context.autocommit_block

    def block() -> contextlib.AbstractContextManager[None]:
        check()
        return migration.autocommit_block(block_of_alembic)

    batch = functools.partial(migration.batch_alter_table, ops.batch_alter_table)
    context.autocommit_block = block  # type: ignore[assignment, method-assign]
    ops.batch_alter_table = batch  # type: ignore[assignment, method-assign]

    try:
        yield
    finally:
        del context.autocommit_block
        del ops.batch_alter_table
