"""Exclusion constraints with operator classes. Alembic does not render these, and
SQLAlchemy loses them when it copies the constraint of a new table.
"""

from __future__ import annotations

import typing as t

from alembic.autogenerate import renderers
from alembic.ddl.postgresql import CreateExcludeConstraintOp
from alembic.operations import ops
from sqlalchemy.dialects.postgresql import ExcludeConstraint

if t.TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext


class CreateExclusionOp(CreateExcludeConstraintOp):
    """Create an exclusion constraint with operator classes."""


class CreateExclusionOfNewTableOp(CreateExclusionOp):
    """Create an exclusion constraint of a new table."""

    def reverse(self) -> t.Any:
        # It goes with the table.
        return ops.ModifyTableOps(self.table_name, [], schema=self.schema)


def separate(upgrade_ops: ops.UpgradeOps) -> None:
    """Create them after their tables."""
    for op in [*upgrade_ops.ops]:
        if isinstance(op, ops.ModifyTableOps):
            op.ops[:] = map(_with_classes, op.ops)

        if not isinstance(op, ops.CreateTableOp):
            continue

        at = upgrade_ops.ops.index(op) + 1
        upgrade_ops.ops[at:at] = [
            CreateExclusionOfNewTableOp.from_constraint(item)
            for item in op.columns
            if _has_classes(item)
        ]
        op.columns = [item for item in op.columns if not _has_classes(item)]


def _with_classes(op: ops.MigrateOperation) -> ops.MigrateOperation:
    if isinstance(op, CreateExcludeConstraintOp):
        constraint = op.to_constraint()

        if _has_classes(constraint):
            return CreateExclusionOp.from_constraint(constraint)

    return op


def _has_classes(item: object) -> t.TypeGuard[ExcludeConstraint]:
    return isinstance(item, ExcludeConstraint) and bool(item.ops)


@renderers.dispatch_for(CreateExclusionOp)
def _render(autogen_context: AutogenContext, op: CreateExclusionOp) -> str:
    constraint = op.to_constraint()
    plain = CreateExcludeConstraintOp.from_constraint(constraint)
    text = t.cast("str", renderers.dispatch(plain)(autogen_context, plain))
    return f"{text.removesuffix(')')}, ops={dict(constraint.ops)!r})"
