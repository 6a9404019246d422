"""Tells why an operation of Alembic loses data."""

from __future__ import annotations

import collections.abc as c
import functools
import typing as t

import sqlalchemy as sa
from alembic.autogenerate import renderers
from alembic.operations import ops
from sqlalchemy.types import to_instance

from ..results import DataLoss as DataLoss
from .narrower_types import is_narrower

if t.TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.ops import MigrateOperation


@functools.singledispatch
def find_losses(
    operation: MigrateOperation, dialect: sa.Dialect
) -> c.Iterator[DataLoss]:
    """Yield why an operation loses data, or the operations in it do.

    :param operation: The operation.
    :param dialect: The dialect of the database.
    """
    yield from ()


@find_losses.register
def _(operation: ops.OpContainer, dialect: sa.Dialect) -> c.Iterator[DataLoss]:
    for inner in operation.ops:
        yield from find_losses(inner, dialect)


@find_losses.register
def _(operation: ops.MigrationScript, dialect: sa.Dialect) -> c.Iterator[DataLoss]:
    for upgrade in operation.upgrade_ops_list:
        yield from find_losses(upgrade, dialect)


@find_losses.register
def _(operation: ops.DropTableOp, dialect: sa.Dialect) -> c.Iterator[DataLoss]:
    table = _qualified(operation.schema, operation.table_name)
    yield DataLoss(f"drops the table '{table}' with its rows")


@find_losses.register
def _(operation: ops.DropColumnOp, dialect: sa.Dialect) -> c.Iterator[DataLoss]:
    if operation.to_column().computed is not None:
        return

    table = _qualified(operation.schema, operation.table_name)
    yield DataLoss(f"drops the column '{table}.{operation.column_name}' with its data")


@find_losses.register
def _(operation: ops.AlterColumnOp, dialect: sa.Dialect) -> c.Iterator[DataLoss]:
    if operation.modify_type is None:
        return

    table = _qualified(operation.schema, operation.table_name)
    type_ = f"the type of '{table}.{operation.column_name}'"
    new = to_instance(operation.modify_type)

    if operation.existing_type is None:
        yield DataLoss(
            f"changes {type_} to {new.compile(dialect)}, from an unknown one", False
        )
        return

    old = to_instance(operation.existing_type)
    change = f"{old.compile(dialect)} -> {new.compile(dialect)}"

    match is_narrower(new, old, dialect):
        case True:
            yield DataLoss(f"makes {type_} narrower: {change}")
        case None:
            yield DataLoss(f"changes {type_}: {change}", False)


@find_losses.register
def _(operation: ops.ExecuteSQLOp, dialect: sa.Dialect) -> c.Iterator[DataLoss]:
    statement = operation.sqltext

    if isinstance(statement, sa.Delete):
        yield DataLoss(f"deletes rows of '{statement.table}'")
    elif not isinstance(statement, (sa.Select, sa.Insert)):
        yield DataLoss("executes SQL", False)


class LossCommentOp(ops.MigrateOperation):
    """A comment in a revision about an operation that loses data.

    :param losses: Why it does.
    """

    def __init__(self, losses: c.Sequence[DataLoss]) -> None:
        self.losses = losses


@renderers.dispatch_for(LossCommentOp)
def _render(autogen_context: AutogenContext, op: LossCommentOp) -> list[str]:
    return [
        f"# {'Loses' if loss.is_certain else 'May lose'} data: {loss.reason}."
        for loss in op.losses
    ]


def _qualified(schema: str | None, name: str) -> str:
    return f"{schema}.{name}" if schema else name
