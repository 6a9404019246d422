"""Compares foreign keys of models that name the default schema.

Databases leave its name out of what they show, so that Alembic drops such a foreign key
and adds it again in every revision.

Registers an Alembic plugin. Before Alembic 1.18, which added plugins, it is one more
comparison of tables.
"""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from alembic.operations import ops

from .plugins import Comparison
from .unchanged_constraints import foreign_key_signature

if t.TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

comparison: Comparison = Comparison("default_schema", helps="constraints")


def _compare(
    autogen_context: AutogenContext, table: ops.ModifyTableOps, *args: object
) -> t.Any:
    assert autogen_context.connection is not None
    default = autogen_context.connection.dialect.default_schema_name
    dropped = {
        foreign_key_signature(_constraint(op), default): op
        for op in table.ops
        if isinstance(op, ops.DropConstraintOp) and op.constraint_type == "foreignkey"
    }

    for op in [*table.ops]:
        if not isinstance(op, ops.CreateForeignKeyOp):
            continue

        if same := dropped.pop(foreign_key_signature(_constraint(op), default), None):
            table.ops.remove(same)
            table.ops.remove(op)

        # As Alembic does with the names of tables.
        for option in "source_schema", "referent_schema":
            if op.kw.get(option) == default:
                op.kw[option] = None


def _constraint(
    op: ops.DropConstraintOp | ops.CreateForeignKeyOp,
) -> sa.ForeignKeyConstraint:
    return t.cast("sa.ForeignKeyConstraint", op.to_constraint())


comparison.add(_compare, "table", "foreignkeys", priority="LAST")
