"""Names for constraints that autogenerate adds or drops without a name."""

from __future__ import annotations

import collections.abc as c
import typing as t

import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.schema import conv

from ..dialects.constraint_names import foreign_key_name
from ..dialects.constraint_names import unique_name


def name_constraints(scripts: c.Iterable[ops.MigrationScript]) -> None:
    """Name unnamed constraints: in a batch, Alembic refuses to add them, and databases
    cannot drop them.

    :param scripts: The scripts, which are changed in place.
    """
    for script in scripts:
        for container in (*script.upgrade_ops_list, *script.downgrade_ops_list):
            for operation in _walk(container):
                if operation.constraint_name is None:
                    operation.constraint_name = _name(operation.to_constraint())


def _walk(container: ops.OpContainer) -> c.Iterator[t.Any]:
    for operation in container.ops:
        if isinstance(operation, ops.OpContainer):
            yield from _walk(operation)
        elif isinstance(operation, (ops.AddConstraintOp, ops.DropConstraintOp)):
            yield operation


def _name(constraint: sa.Constraint) -> str | None:
    table = constraint.table.name

    # 'conv' marks a conventional name, which is shortened if it is too long.
    if isinstance(constraint, sa.UniqueConstraint):
        return conv(unique_name(table, (column.name for column in constraint.columns)))

    if isinstance(constraint, sa.ForeignKeyConstraint):
        parent = constraint.elements[0].target_fullname.split(".")[-2]
        return conv(foreign_key_name(table, constraint.column_keys, parent))

    return None
