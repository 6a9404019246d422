"""Changes types in steps, where a server does not convert the values by itself."""

from __future__ import annotations

import collections.abc as c
import typing as t

from alembic.operations import ops
from sqlalchemy.types import to_instance

from ..dialects import dialect_named
from ..dialects.text_clauses import escaped

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from ..dialects.column_types import TypeStep

    Operations: t.TypeAlias = list[ops.MigrateOperation]


def with_steps(
    operations: c.Iterable[ops.MigrateOperation], dialect: sa.Dialect
) -> Operations:
    """Return the operations, with what is between them.

    :param operations: Operations on tables.
    :param dialect: The dialect of the database.
    """
    found: Operations = []

    for operation in operations:
        if isinstance(operation, ops.ModifyTableOps):
            found += _split(operation, dialect)
        else:
            found.append(operation)

    return found


def _split(
    table: ops.ModifyTableOps, dialect: sa.Dialect
) -> c.Iterator[ops.MigrateOperation]:
    """Yield parts of a change. A batch must have ended when its rows are changed."""
    part: Operations = []

    for operation in table.ops:
        if isinstance(operation, ops.AlterColumnOp) and (
            step := _step_of(operation, dialect)
        ):
            between = _retyped(operation, step)
            yield ops.ModifyTableOps(
                table.table_name, [*part, between], schema=table.schema
            )
            yield _update(operation, step, dialect)
            operation.existing_type = step.type
            part = []

        part.append(operation)

    if part:
        yield ops.ModifyTableOps(table.table_name, part, schema=table.schema)


def _step_of(operation: ops.AlterColumnOp, dialect: sa.Dialect) -> TypeStep | None:
    if operation.modify_type is None or operation.existing_type is None:
        return None

    old, new = map(to_instance, (operation.existing_type, operation.modify_type))
    types = dialect_named(dialect.name).column_types
    return types.step_between(old.compile(dialect), new.compile(dialect))


def _retyped(operation: ops.AlterColumnOp, step: TypeStep) -> ops.AlterColumnOp:
    return ops.AlterColumnOp(
        operation.table_name,
        operation.column_name,
        schema=operation.schema,
        modify_type=step.type,
        existing_type=operation.existing_type,
        existing_nullable=operation.existing_nullable,
        existing_server_default=t.cast("t.Any", operation.existing_server_default),
        existing_comment=operation.existing_comment,
    )


def _update(
    operation: ops.AlterColumnOp, step: TypeStep, dialect: sa.Dialect
) -> ops.ExecuteSQLOp:
    quote = dialect.identifier_preparer.quote
    names = filter(None, (operation.schema, operation.table_name))
    table, column = ".".join(map(quote, names)), quote(operation.column_name)
    expression = step.expression.format(column=column)
    return ops.ExecuteSQLOp(escaped(f"UPDATE {table} SET {column} = {expression}"))
