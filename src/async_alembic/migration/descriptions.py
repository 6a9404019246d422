"""Tells in words what an operation of Alembic does."""

from __future__ import annotations

import functools
import typing as t

import sqlalchemy as sa
from alembic.operations import ops

from ..autogenerate.enum_operations import AlterEnumOp
from ..autogenerate.enum_operations import CreateEnumOp
from ..autogenerate.enum_operations import DropEnumOp
from ..autogenerate.enum_operations import EnumOp
from ..autogenerate.sequence_operations import SequenceOp

if t.TYPE_CHECKING:
    from alembic.operations.ops import MigrateOperation


@functools.singledispatch
def describe(operation: MigrateOperation | None) -> str:
    """Return what an operation does, such as ``"drops the table 'user'"``.

    :param operation: The operation, or ``None`` for SQL that a revision executes
        without one.
    """
    return "executes SQL"


@describe.register
def _(operation: ops.OpContainer) -> str:
    return ", ".join(map(describe, operation.ops))


@describe.register
def _(operation: ops.ExecuteSQLOp) -> str:
    statement = operation.sqltext

    if isinstance(statement, (sa.Insert, sa.Update, sa.Delete)):
        verbs = {
            "insert": "inserts into",
            "update": "updates",
            "delete": "deletes from",
        }
        return f"{verbs[statement.__visit_name__]} '{statement.table}'"

    return "executes SQL"


@describe.register
def _(operation: ops.BulkInsertOp) -> str:
    return f"inserts {len(operation.rows)} rows into '{operation.table}'"


@describe.register
def _(operation: ops.CreateTableOp) -> str:
    return f"creates the table '{_table(operation)}'"


@describe.register
def _(operation: ops.DropTableOp) -> str:
    return f"drops the table '{_table(operation)}'"


@describe.register
def _(operation: ops.RenameTableOp) -> str:
    return f"renames the table '{_table(operation)}' to '{operation.new_table_name}'"


@describe.register
def _(operation: ops.AddColumnOp) -> str:
    return f"adds the column '{_table(operation)}.{operation.column.name}'"


@describe.register
def _(operation: ops.DropColumnOp) -> str:
    return f"drops the column '{_table(operation)}.{operation.column_name}'"


@describe.register
def _(operation: ops.AlterColumnOp) -> str:
    changes = {
        "type": operation.modify_type is not None,
        "nullability": operation.modify_nullable is not None,
        "default": operation.modify_server_default is not False,
        "comment": operation.modify_comment is not False,
    }
    changed = [name for name, is_changed in changes.items() if is_changed]
    column = f"'{_table(operation)}.{operation.column_name}'"
    found = [f"changes the {' and '.join(changed)} of {column}"] if changed else []

    if operation.modify_name is not None:
        found.append(f"renames the column {column} to '{operation.modify_name}'")

    return ", ".join(found)


@describe.register
def _(operation: ops.CreateIndexOp) -> str:
    unique = "unique index" if operation.unique else "index"
    return f"creates the {unique} '{operation.index_name}' on '{_table(operation)}'"


@describe.register
def _(operation: ops.DropIndexOp) -> str:
    return f"drops the index '{operation.index_name}'"


@describe.register
def _(operation: ops.CreateForeignKeyOp) -> str:
    return (
        f"adds a foreign key from '{operation.source_table}' to"
        f" '{operation.referent_table}'"
    )


@describe.register
def _(operation: ops.AddConstraintOp) -> str:
    kind = operation.constraint_type
    return f"adds a {kind} constraint to '{_table(operation)}'"


@describe.register
def _(operation: ops.DropConstraintOp) -> str:
    return f"drops the constraint '{operation.constraint_name}'"


@describe.register
def _(operation: ops.CreateTableCommentOp | ops.DropTableCommentOp) -> str:
    return f"changes the comment of the table '{_table(operation)}'"


@describe.register
def _(operation: EnumOp) -> str:
    verbs = {CreateEnumOp: "creates", DropEnumOp: "drops", AlterEnumOp: "changes"}
    return f"{verbs[type(operation)]} the type '{operation.full_name}'"


@describe.register
def _(operation: SequenceOp) -> str:
    verb = "changes" if operation.verb == "alter" else f"{operation.verb}s"
    return f"{verb} the sequence '{operation.sequence.name}'"


def _table(operation: t.Any) -> str:
    schema = operation.schema
    return f"{schema}.{operation.table_name}" if schema else operation.table_name
