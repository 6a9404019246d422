"""Compares the names of exclusion constraints, which Alembic only creates with a table.

Registers an Alembic plugin. Before Alembic 1.18, nothing is compared.
"""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from alembic.operations import ops

from ..dialects.copies import for_files
from ..dialects.dropped_constraints import DropDescribedOp
from . import plugins
from .comparison import comparison_of
from .plugins import Comparison
from .unchanged_constraints import exclusions_of

if t.TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

comparison: Comparison = Comparison("exclusions", helps="constraints")
#: What filters of an app get as the type of the object.
_TYPE: t.Any = "exclude_constraint"


def _compare(
    autogen_context: AutogenContext,
    modify_table_ops: ops.ModifyTableOps,
    schema: str | None,
    table: str,
    inspected: sa.Table | None,
    model: sa.Table | None,
) -> t.Any:
    running = comparison_of(autogen_context.migration_context)

    if running is None or inspected is None or model is None:
        return plugins.CONTINUE

    preparer = for_files(running.dialect).identifier_preparer
    # A name that is too long is cut off.
    wanted = [
        (preparer.format_constraint(item) if item.name else None, item)
        for item in exclusions_of(model)
    ]
    found: dict[str | None, DropDescribedOp] = {}

    for name, definition in running.exclusions.get((schema, table), {}).items():
        item = sa.Constraint(name)
        sa.Table(table, sa.MetaData(), item, schema=schema)
        formatted = preparer.format_constraint(item)
        statement = (
            f"ALTER TABLE {preparer.format_table(model)}"
            f" ADD CONSTRAINT {formatted} {definition}"
        )

        if autogen_context.run_object_filters(item, name, _TYPE, True, None):
            found[formatted] = DropDescribedOp(item, statement)

    names = {name for name, _ in wanted}
    gone = [drop for name, drop in found.items() if name not in names]

    # The server has named those that have no name in the model.
    if None in names and gone:
        found[None] = gone.pop()
    else:
        modify_table_ops.ops[:0] = gone

    for quoted, constraint in wanted:
        if quoted not in found and autogen_context.run_object_filters(
            constraint, t.cast("t.Any", constraint.name), _TYPE, False, None
        ):
            modify_table_ops.ops.append(ops.AddConstraintOp.from_constraint(constraint))

    return plugins.CONTINUE


comparison.add(_compare, "table", "exclusions", priority="LAST", needs_plugins=True)
