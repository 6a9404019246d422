"""A column that is computed from now on, or no longer.

A column starts by being dropped and added again. Where the database can, it stops
without losing its values.
"""

from __future__ import annotations

import collections.abc as c
import dataclasses
import typing as t

import sqlalchemy as sa
from alembic.autogenerate import render
from alembic.autogenerate import renderers
from alembic.operations import ops

from ..dialects import dialect_named
from ..dialects.text_clauses import escaped
from .data_loss import DataLoss
from .data_loss import find_losses

if t.TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

    from ..dialects.computed_columns import ComputedColumns

    Operations: t.TypeAlias = list[ops.MigrateOperation]


@dataclasses.dataclass
class ComputeColumnOp(ops.MigrateOperation):
    """Start or stop computing a column.

    :param found: The column of the database.
    :param new: The column of the model.
    :param drops: What drops the indexes and unique constraints of the column.
    :param creates: What creates them again.
    :param dialect: The dialect of the database.
    :param is_reversed: Whether it belongs to a downgrade.
    """

    found: sa.Column[t.Any]
    new: sa.Column[t.Any]
    drops: Operations
    creates: Operations
    dialect: sa.Dialect
    is_reversed: bool = False

    def reverse(self) -> ComputeColumnOp:
        return ComputeColumnOp(
            self.new,
            self.found,
            [op.reverse() for op in reversed(self.creates)],
            [op.reverse() for op in reversed(self.drops)],
            self.dialect,
            not self.is_reversed,
        )

    def to_diff_tuple(self) -> tuple[t.Any, ...]:
        table = self.found.table
        kind = "start" if self.starts else "stop"
        return f"{kind}_computing", table.schema, table.name, self.new

    @property
    def starts(self) -> bool:
        return self.new.computed is not None

    @property
    def keeps_values(self) -> bool:
        """Whether the column keeps what was computed."""
        computed = self.found.computed
        return computed is not None and self.computed_columns.can_keep_values(
            self.dialect, bool(computed.persisted)
        )

    @property
    def computed_columns(self) -> ComputedColumns:
        return dialect_named(self.dialect.name).computed_columns

    @property
    def losses(self) -> list[DataLoss]:
        name = f"'{self.found.table.fullname}.{self.found.name}'"

        if self.starts:
            return [DataLoss(f"replaces the data of {name} by computed values")]

        if self.keeps_values:
            return []

        return [DataLoss(f"drops the computed values of {name}")]


@find_losses.register
def _(operation: ComputeColumnOp, dialect: sa.Dialect) -> c.Iterator[DataLoss]:
    yield from operation.losses


@renderers.dispatch_for(ComputeColumnOp)
def _render(autogen_context: AutogenContext, op: ComputeColumnOp) -> list[str]:
    lines = [f"# Loses data: {loss.reason}." for loss in op.losses if op.is_reversed]
    parts = _stopping(op) if op.keeps_values else _replacing(op)
    return lines + [
        line for part in parts for line in render.render_op(autogen_context, part)
    ]


def _replacing(op: ComputeColumnOp) -> c.Iterator[ops.MigrateOperation]:
    table = op.found.table
    drop = ops.DropColumnOp.from_column_and_tablename(
        table.schema, table.name, op.found
    )
    add = ops.AddColumnOp.from_column_and_tablename(table.schema, table.name, op.new)
    yield _modify(op, [*op.drops, drop])
    yield _modify(op, [add, *op.creates])


def _stopping(op: ComputeColumnOp) -> c.Iterator[ops.MigrateOperation]:
    table, statement = op.found.table, op.computed_columns.drop_expression
    change = ops.AlterColumnOp(
        table.name,
        op.found.name,
        schema=table.schema,
        existing_type=op.found.type,
        existing_nullable=op.found.nullable,
        existing_comment=op.found.comment,
    )

    if statement is not None:
        preparer = op.dialect.identifier_preparer
        names = preparer.format_table(table), preparer.quote(op.found.name)
        yield ops.ExecuteSQLOp(
            escaped(statement.format(table=names[0], column=names[1]))
        )
    elif op.computed_columns.can_be_altered:
        change.modify_server_default = None
    else:
        # All of the definition is written again.
        change.modify_type = op.new.type

    if op.new.server_default is not None:
        change.modify_server_default = op.new.server_default

    if op.new.type.compile(op.dialect) != op.found.type.compile(op.dialect):
        change.modify_type = op.new.type

    if bool(op.new.nullable) != bool(op.found.nullable):
        change.modify_nullable = bool(op.new.nullable)

    if op.new.comment != op.found.comment and op.dialect.supports_comments:
        change.modify_comment = op.new.comment

    if change.has_changes():
        yield _modify(op, [change])


def _modify(
    op: ComputeColumnOp, operations: c.Sequence[ops.MigrateOperation]
) -> ops.ModifyTableOps:
    table = op.found.table
    return ops.ModifyTableOps(table.name, operations, schema=table.schema)
