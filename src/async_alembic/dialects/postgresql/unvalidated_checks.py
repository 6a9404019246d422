"""Checks that are ``NOT VALID`` or ``NOT ENFORCED``. SQLAlchemy cannot create them with
a table, and reads no condition of the latter. So the server says what creates them.
"""

from __future__ import annotations

import collections.abc as c
import typing as t

import sqlalchemy as sa
from alembic.operations import ops

from ..text_clauses import escaped

if t.TYPE_CHECKING:
    from ..schema_objects import Checks

#: What is not enforced is not valid either.
_checks = sa.text(
    "SELECT n.nspname AS schema, r.relname AS table, k.conname AS name,"
    " format('ALTER TABLE %s ADD CONSTRAINT %I %s', k.conrelid::regclass, k.conname,"
    " pg_get_constraintdef(k.oid)) AS statement"
    " FROM pg_constraint k JOIN pg_class r ON r.oid = k.conrelid"
    " JOIN pg_namespace n ON n.oid = r.relnamespace"
    " WHERE k.contype = 'c' AND NOT k.convalidated"
)


class DropCheckOp(ops.DropConstraintOp):
    """Drop a check before its table, so that it is created after it.

    :param statement: What creates it.
    """

    def __init__(self, name: str, op: ops.DropTableOp, statement: str) -> None:
        super().__init__(name, op.table_name, type_="check", schema=op.schema)
        self._statement = statement

    def reverse(self) -> t.Any:
        return ops.ExecuteSQLOp(escaped(self._statement))

    def to_diff_tuple(self) -> tuple[t.Any, ...]:
        check = sa.CheckConstraint("TRUE", self.constraint_name)
        sa.Table(self.table_name, sa.MetaData(), check, schema=self.schema)
        return "remove_constraint", check


def without_options(checks: Checks) -> None:
    """Remove what SQLAlchemy passes on as an option that checks don't have."""
    for infos in checks.values():
        for info in infos:
            info.pop("dialect_options", None)


def drop_first(connection: sa.Connection, upgrade_ops: ops.UpgradeOps) -> None:
    """Drop such checks by operations of their own."""
    dropped = [op for op in upgrade_ops.ops if isinstance(op, ops.DropTableOp)]

    if not dropped:
        return

    default = connection.dialect.default_schema_name
    rows = connection.execute(_checks).all()

    for op in dropped:
        found = {
            row.name: row.statement
            for row in rows
            if (row.schema, row.table) == (op.schema or default, op.table_name)
        }

        if found:
            at = upgrade_ops.ops.index(op)
            upgrade_ops.ops[at] = _without_checks(op, found)
            upgrade_ops.ops[:0] = [DropCheckOp(name, op, found[name]) for name in found]


def _without_checks(op: ops.DropTableOp, names: c.Container[object]) -> ops.DropTableOp:
    table = op.to_table()

    for constraint in [*table.constraints]:
        if isinstance(constraint, sa.CheckConstraint) and constraint.name in names:
            table.constraints.remove(constraint)

    return ops.DropTableOp.from_table(table)
