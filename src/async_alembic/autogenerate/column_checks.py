"""Writes the checks of columns, ``sa.Column("n", sa.Integer, sa.CheckConstraint("n >
0"))``, as those of their tables. Alembic leaves them out.

Registers an Alembic plugin. Before Alembic 1.18, it is one more comparison of schemas.
"""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from alembic.operations import ops

from .plugins import Comparison
from .plugins import WRITES_CHECKS

if t.TYPE_CHECKING:
    import collections.abc as c

comparison: Comparison = Comparison("column_checks", helps="tables")


def _compare(
    autogen_context: object, upgrade_ops: ops.UpgradeOps, *args: object
) -> t.Any:
    for op in upgrade_ops.ops:
        if isinstance(op, ops.CreateTableOp):
            columns = [item for item in op.columns if isinstance(item, sa.Column)]
            op.columns = [*op.columns, *_checks_of(columns)]
        elif isinstance(op, ops.ModifyTableOps) and WRITES_CHECKS:
            columns = [o.column for o in op.ops if isinstance(o, ops.AddColumnOp)]
            op.ops += [
                ops.AddConstraintOp.from_constraint(check)
                for check in _checks_of(columns)
                # A batch on SQLite needs a name, and so does the downgrade.
                if check.name is not None
            ]


def _checks_of(columns: list[sa.Column[t.Any]]) -> c.Iterator[sa.CheckConstraint]:
    if not any(map(_own_checks, columns)):
        return

    # The models must not get the checks.
    table = columns[0].table.to_metadata(sa.MetaData())

    for column in columns:
        for check in _own_checks(table.columns[column.key]):
            copied = sa.CheckConstraint(check.sqltext, name=check.name)
            table.append_constraint(copied)
            yield copied


def _own_checks(column: sa.Column[t.Any]) -> list[sa.CheckConstraint]:
    return [c for c in column.constraints if isinstance(c, sa.CheckConstraint)]


comparison.add(_compare, "schema", priority="LAST")
