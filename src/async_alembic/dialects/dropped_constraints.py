"""Constraints that only the server can describe, as operations that are generated."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from alembic.operations import ops

from .text_clauses import escaped


class DropDescribedOp(ops.DropConstraintOp):
    """Drop a constraint, and execute a statement to create it again.

    :param constraint: Its name and table.
    :param statement: What creates it.
    """

    def __init__(self, constraint: sa.Constraint, statement: str) -> None:
        table: sa.Table = constraint.table
        is_check = isinstance(constraint, sa.CheckConstraint)
        super().__init__(
            t.cast("str", constraint.name),
            table.name,
            type_="check" if is_check else None,
            schema=table.schema,
        )
        self._constraint = constraint
        self._statement = statement

    def reverse(self) -> t.Any:
        return ops.ExecuteSQLOp(escaped(self._statement))

    def to_diff_tuple(self) -> tuple[t.Any, ...]:
        return "remove_constraint", self._constraint
