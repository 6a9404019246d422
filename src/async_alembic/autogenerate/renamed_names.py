"""Gives the indexes and foreign keys of renamed tables and columns their new names.

Alembic does not compare the names of foreign keys. It drops an index before it creates
the next one, which MySQL refuses for the index of a foreign key.

Registers an Alembic plugin. Before Alembic 1.18, nothing is renamed.
"""

from __future__ import annotations

import typing as t

from alembic.operations import ops

from .comparison import comparison_of
from .plugins import Comparison
from .retyped_keys import reflected_key

if t.TYPE_CHECKING:
    import collections.abc as c

    import sqlalchemy as sa
    from alembic.autogenerate.api import AutogenContext

    from .renames import Renames
    from .unknown_tables import TableKey

comparison: Comparison = Comparison("renamed_names", helps="tables")


def _compare(
    autogen_context: AutogenContext,
    upgrade_ops: ops.UpgradeOps,
    schemas: c.Iterable[str | None],
) -> t.Any:
    running = comparison_of(autogen_context.migration_context)

    if running is None or not running.renames.operations:
        return

    for operation in upgrade_ops.ops:
        if isinstance(operation, ops.ModifyTableOps):
            _create_indexes_first(operation.ops)

    default = running.default_schema
    models = {
        (None if table.schema == default else table.schema, table.name): table
        for table in autogen_context.sorted_tables
    }

    for schema in schemas:
        found = autogen_context.inspector.get_multi_foreign_keys(schema)

        for key, infos in found.items():
            for info in infos if key in models else ():
                if _is_affected(key, info, running.renames):
                    upgrade_ops.ops += _renamed_key(
                        autogen_context.inspector, key, info, models[key]
                    )


def _create_indexes_first(operations: list[ops.MigrateOperation]) -> None:
    kinds = ops.CreateIndexOp, ops.DropIndexOp
    places = [at for at, op in enumerate(operations) if isinstance(op, kinds)]
    in_order = sorted(
        (operations[at] for at in places), key=lambda op: isinstance(op, kinds[1])
    )

    for at, operation in zip(places, in_order, strict=True):
        operations[at] = operation


def _is_affected(key: TableKey, info: t.Any, renames: Renames) -> bool:
    referent = info["referred_schema"], info["referred_table"]
    return bool({key, referent} & {*renames.tables.values(), *renames.columns})


def _renamed_key(
    inspector: sa.Inspector, key: TableKey, info: t.Any, table: sa.Table
) -> c.Iterator[ops.ModifyTableOps]:
    schema, name = key
    old = info["name"]
    indexes = {index["name"] for index in inspector.get_indexes(name, schema)}

    for constraint in table.foreign_key_constraints:
        if (
            constraint.column_keys == info["constrained_columns"]
            and isinstance(constraint.name, str)
            and old not in (None, constraint.name)
            # The server has made an index for it, and calls it the same.
            and old not in indexes
        ):
            drop = ops.DropConstraintOp.from_constraint(
                reflected_key(key, info).to_constraint()
            )
            create = ops.CreateForeignKeyOp.from_constraint(constraint)
            yield ops.ModifyTableOps(name, [drop, create], schema=schema)


comparison.add(_compare, "schema", priority="LAST", needs_plugins=True)
