"""The columns that detected operations add, change and remove."""

from __future__ import annotations

import collections.abc as c
import typing as t

import sqlalchemy as sa
from alembic.operations import ops

if t.TYPE_CHECKING:
    #: The schema, ``None`` for the default one, the table and the column.
    ColumnKey: t.TypeAlias = tuple[str | None, str, str]


def new_columns(upgrade_ops: ops.UpgradeOps) -> c.Iterator[sa.Column[t.Any]]:
    """Yield the columns of new tables, and new columns of others."""
    for op in upgrade_ops.ops:
        if isinstance(op, ops.CreateTableOp):
            yield from (item for item in op.columns if isinstance(item, sa.Column))

    for op in operations_on_tables(upgrade_ops):
        if isinstance(op, ops.AddColumnOp):
            yield op.column


def altered_columns(upgrade_ops: ops.UpgradeOps) -> c.Iterator[ops.AlterColumnOp]:
    for op in operations_on_tables(upgrade_ops):
        if isinstance(op, ops.AlterColumnOp):
            yield op


def removed_columns(upgrade_ops: ops.UpgradeOps) -> c.Iterator[ColumnKey]:
    """Yield the columns that are dropped, also with their tables."""
    for op in upgrade_ops.ops:
        if isinstance(op, ops.DropTableOp):
            for column in op.to_table().columns:
                yield op.schema, op.table_name, column.name

    for inner in operations_on_tables(upgrade_ops):
        if isinstance(inner, ops.DropColumnOp):
            yield inner.schema, inner.table_name, inner.column_name


def key_of(op: ops.AlterColumnOp) -> ColumnKey:
    return op.schema, op.table_name, op.column_name


def operations_on_tables(
    upgrade_ops: ops.UpgradeOps,
) -> c.Iterator[ops.MigrateOperation]:
    for op in upgrade_ops.ops:
        if isinstance(op, ops.ModifyTableOps):
            yield from op.ops
