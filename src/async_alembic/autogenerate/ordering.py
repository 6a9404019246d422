"""Sorts the operations of autogenerate by dependency.

Alembic sorts created tables. Dropped tables, foreign keys of other tables and computed
columns come in the order of detection, which databases may reject.
"""

from __future__ import annotations

import graphlib
import typing as t

from alembic.operations import ops

from .comparison import comparison_of
from .enum_operations import AlterEnumOp
from .type_steps import with_steps

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.runtime.migration import MigrationContext

    Key: t.TypeAlias = tuple[str | None, str]
    Operations: t.TypeAlias = list[ops.MigrateOperation]


class DetectedOps(ops.UpgradeOps):
    """The operations that a comparison detects. Alembic reverses them twice: first
    within the connection, which is skipped here, and again after they are sorted.
    """

    is_complete = False

    def reverse_into(self, downgrade_ops: ops.DowngradeOps) -> ops.DowngradeOps:
        return (
            super().reverse_into(downgrade_ops) if self.is_complete else downgrade_ops
        )


def sort_operations(
    context: MigrationContext, revision: object, directives: list[ops.MigrationScript]
) -> None:
    """Sort the operations for the database that was compared last.

    Has the signature of a ``process_revision_directives`` function.
    """
    upgrade = directives[0].upgrade_ops_list[-1]
    downgrade = directives[0].downgrade_ops_list[-1]
    upgrade.ops[:] = _with_sorted_drops(_with_separate_foreign_keys(upgrade.ops))

    if (comparison := comparison_of(context)) is not None:
        # Not in a batch: SQLite renames a column wherever it is mentioned.
        upgrade.ops[:0] = comparison.renames.operations

    upgrade.reverse_into(downgrade)

    for container in upgrade, downgrade:
        container.ops.sort(key=_place_of_enum)
        container.ops[:] = with_steps(container.ops, context.dialect)
        container.ops[:] = _without_indexes_of_dropped_tables(
            container.ops, context.dialect.default_schema_name
        )


def _place_of_enum(op: ops.MigrateOperation) -> int:
    """Return where an operation stands beside those on enums. Values come before what
    uses them, and go after it.
    """
    if not isinstance(op, AlterEnumOp):
        return 1

    return 2 if op.only_removes else 0


def _with_separate_foreign_keys(operations: Operations) -> Operations:
    """Drop foreign keys before their referent is dropped or changed, and create them
    after it.
    """
    touched = {key for op in operations if (key := _key_of(op)) is not None}
    first: Operations = []
    last: Operations = []
    between: Operations = []

    for op in operations:
        if not isinstance(op, ops.ModifyTableOps):
            between.append(op)
            continue

        others = touched - {_key_of(op)}
        drops = [o for o in op.ops if _is_dropped_foreign_key(o)]
        creates = [o for o in op.ops if isinstance(o, ops.CreateForeignKeyOp)]
        early = [o for o in drops if _referent(o.reverse()) in others]
        late = [o for o in creates if _referent(o) in others]
        rest = [o for o in op.ops if o not in drops and o not in creates]
        rest = _with_computed_columns_dropped_first(rest)
        rest = _with_computed_columns_added_last(rest)
        rest = [o for o in drops if o not in early] + rest
        rest += [o for o in creates if o not in late]

        for container, some in (first, early), (between, rest), (last, late):
            if some:
                container.append(
                    ops.ModifyTableOps(op.table_name, some, schema=op.schema)
                )

    return [*first, *between, *last]


def _with_computed_columns_dropped_first(operations: Operations) -> Operations:
    drops = [o for o in operations if isinstance(o, ops.DropColumnOp)]
    in_order = iter(sorted(drops, key=lambda o: o.to_column().computed is None))
    return [next(in_order) if o in drops else o for o in operations]


def _with_computed_columns_added_last(operations: Operations) -> Operations:
    """Add them after the columns that they are computed from are added and changed."""
    added = [
        op
        for op in operations
        if isinstance(op, ops.AddColumnOp) and op.column.computed is not None
    ]
    others = [op for op in operations if op not in added]
    columns = [isinstance(op, (ops.AddColumnOp, ops.AlterColumnOp)) for op in others]
    last = len(columns) - columns[::-1].index(True) if True in columns else 0
    return [*others[:last], *added, *others[last:]]


def _with_sorted_drops(operations: Operations) -> Operations:
    """Drop tables before the tables that they refer to."""
    tables = {
        _key_of(op): op.to_table()
        for op in operations
        if isinstance(op, ops.DropTableOp)
    }
    graph = {
        key: {other for other in tables if other != key and _refers(tables[other], key)}
        for key in tables
    }

    try:
        keys = [*graphlib.TopologicalSorter(graph).static_order()]
    except graphlib.CycleError:
        return operations

    in_order = iter([op for key in keys for op in operations if _key_of(op) == key])
    return [next(in_order) if _key_of(op) in tables else op for op in operations]


def _without_indexes_of_dropped_tables(
    operations: Operations, default_schema: str | None
) -> Operations:
    """Leave out indexes that are dropped with their table. MySQL refuses to drop the
    index of a foreign key before the table.
    """
    dropped = {
        # Of tables that models have created, the default schema may have its name.
        (None if op.schema == default_schema else op.schema, op.table_name)
        for op in operations
        if isinstance(op, ops.DropTableOp)
    }
    kept: Operations = []

    for op in operations:
        if isinstance(op, ops.ModifyTableOps) and _key_of(op) in dropped:
            op.ops[:] = [o for o in op.ops if not isinstance(o, ops.DropIndexOp)]

            if not op.ops:
                continue

        kept.append(op)

    return kept


def _key_of(op: ops.MigrateOperation) -> Key | None:
    """Return the schema and the name of the table that is dropped or changed."""
    if isinstance(op, (ops.DropTableOp, ops.ModifyTableOps)):
        return op.schema, op.table_name

    return None


def _is_dropped_foreign_key(op: ops.MigrateOperation) -> bool:
    return isinstance(op, ops.DropConstraintOp) and op.constraint_type == "foreignkey"


def _referent(op: ops.MigrateOperation) -> Key | None:
    if isinstance(op, ops.CreateForeignKeyOp):
        return op.kw.get("referent_schema"), op.referent_table

    return None


def _refers(table: sa.Table, key: Key | None) -> bool:
    return any(
        (target.schema, target.name) == key
        for constraint in table.foreign_key_constraints
        for target in [constraint.elements[0].column.table]
    )
