"""Constraints as the server defines them: checks that are ``NOT VALID`` or ``NOT
ENFORCED``, which SQLAlchemy cannot create with a table, and exclusion constraints,
which it does not read.
"""

from __future__ import annotations

import collections.abc as c
import typing as t

import sqlalchemy as sa
from alembic.operations import ops

from ..dropped_constraints import DropDescribedOp

if t.TYPE_CHECKING:
    from ..schema_objects import Checks

#: What is not enforced is not valid either. Partitions have those of their parent.
_constraints = sa.text(
    "SELECT n.nspname AS schema, r.relname AS table, k.conname AS name,"
    " k.contype::text AS kind, pg_get_constraintdef(k.oid) AS definition,"
    " format('ALTER TABLE %s ADD CONSTRAINT %I %s', k.conrelid::regclass, k.conname,"
    " pg_get_constraintdef(k.oid)) AS statement"
    " FROM pg_constraint k JOIN pg_class r ON r.oid = k.conrelid"
    " JOIN pg_namespace n ON n.oid = r.relnamespace"
    " WHERE k.contype = 'c' AND NOT k.convalidated OR k.contype = 'x' AND k.conislocal"
)


def find_exclusions(
    connection: sa.Connection,
) -> dict[tuple[str | None, str], dict[str, str]]:
    """Return the definitions of exclusion constraints, by schema and table, and by
    name.
    """
    found: dict[tuple[str | None, str], dict[str, str]] = {}

    for row in connection.execute(_constraints):
        if row.kind == "x":
            found.setdefault((row.schema, row.table), {})[row.name] = row.definition

    return found


def without_options(checks: Checks) -> None:
    """Remove what SQLAlchemy passes on as an option that checks don't have."""
    for infos in checks.values():
        for info in infos:
            info.pop("dialect_options", None)


def drop_first(connection: sa.Connection, upgrade_ops: ops.UpgradeOps) -> None:
    """Drop such constraints before their tables, by operations of their own, so that
    they are created after them.
    """
    dropped = [op for op in upgrade_ops.ops if isinstance(op, ops.DropTableOp)]

    if not dropped:
        return

    default = connection.dialect.default_schema_name
    rows = connection.execute(_constraints).all()

    for op in dropped:
        found = [
            row
            for row in rows
            if (row.schema, row.table) == (op.schema or default, op.table_name)
        ]

        if found:
            at = upgrade_ops.ops.index(op)
            upgrade_ops.ops[at] = _without_checks(op, {row.name for row in found})
            upgrade_ops.ops[:0] = [_drop(op, row) for row in found]


def _drop(op: ops.DropTableOp, row: sa.Row[t.Any]) -> DropDescribedOp:
    is_check = row.kind == "c"
    name = row.name
    item = sa.CheckConstraint("TRUE", name) if is_check else sa.Constraint(name)
    sa.Table(op.table_name, sa.MetaData(), item, schema=op.schema)
    return DropDescribedOp(item, row.statement)


def _without_checks(op: ops.DropTableOp, names: c.Container[object]) -> ops.DropTableOp:
    table = op.to_table()

    for constraint in [*table.constraints]:
        if isinstance(constraint, sa.CheckConstraint) and constraint.name in names:
            table.constraints.remove(constraint)

    return ops.DropTableOp.from_table(table)
