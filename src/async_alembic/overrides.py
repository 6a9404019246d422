"""What a revision calls of Alembic, and is the database's own here."""

from __future__ import annotations

import collections.abc as c
import contextlib
import functools
import typing as t

if t.TYPE_CHECKING:
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    from .dialects import Migration


@contextlib.contextmanager
def overridden(
    context: MigrationContext, ops: Operations, migration: Migration
) -> c.Iterator[None]:
    """Let ``autocommit_block`` and ``batch_alter_table`` be the database's.

    :param context: The context of the database.
    :param ops: Its operations.
    :param migration: Knows how the database does it.
    """
    block = functools.partial(migration.autocommit_block, context.autocommit_block)
    batch = functools.partial(migration.batch_alter_table, ops.batch_alter_table)
    context.autocommit_block = block  # type: ignore[method-assign]
    ops.batch_alter_table = batch  # type: ignore[assignment, method-assign]

    try:
        yield
    finally:
        del context.autocommit_block
        del ops.batch_alter_table
