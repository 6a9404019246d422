"""Drops foreign keys while the types of their columns change, and creates them again.

MySQL and MariaDB refuse to change a column that a foreign key has or refers to.

Registers an Alembic plugin. Before Alembic 1.18, which added plugins, it is one more
comparison of schemas.
"""

from __future__ import annotations

import typing as t

from alembic.operations import ops

from ..dialects import dialect_of
from .plugins import Comparison

if t.TYPE_CHECKING:
    import collections.abc as c

    from alembic.autogenerate.api import AutogenContext

    from .unknown_tables import TableKey

    #: The schema and the name of a table, and the name of a column or a constraint.
    ItemKey: t.TypeAlias = tuple[str | None, str, object]

comparison: Comparison = Comparison("retyped_keys", helps="types")


def _compare(
    autogen_context: AutogenContext,
    upgrade_ops: ops.UpgradeOps,
    schemas: c.Iterable[str | None],
) -> t.Any:
    assert autogen_context.connection is not None
    tables = [op for op in upgrade_ops.ops if isinstance(op, ops.ModifyTableOps)]
    retyped: set[ItemKey] = {
        (op.schema, op.table_name, op.column_name)
        for table in tables
        for op in table.ops
        if isinstance(op, ops.AlterColumnOp) and op.modify_type is not None
    }

    if not retyped or dialect_of(autogen_context.connection).retypes_keys:
        return

    gone: set[ItemKey] = {
        (op.schema, op.table_name, op.constraint_name)
        for table in tables
        for op in table.ops
        if isinstance(op, ops.DropConstraintOp)
    }
    dropped = {
        (op.schema, op.table_name)
        for op in upgrade_ops.ops
        if isinstance(op, ops.DropTableOp)
    }

    for schema in schemas:
        found = autogen_context.inspector.get_multi_foreign_keys(schema)

        for table, infos in found.items():
            for info in infos if table not in dropped else ():
                if (*table, info["name"]) not in gone and _uses(table, info, retyped):
                    _surround(upgrade_ops, table, info)


def _uses(table: TableKey, info: t.Any, retyped: set[ItemKey]) -> bool:
    referent = info["referred_schema"], info["referred_table"]
    return any((*table, name) in retyped for name in info["constrained_columns"]) or (
        any((*referent, name) in retyped for name in info["referred_columns"])
    )


def reflected_key(table: TableKey, info: t.Any) -> ops.CreateForeignKeyOp:
    """Return what creates a foreign key that is in the database.

    :param table: The schema and the name of its table.
    :param info: What SQLAlchemy has read of it.
    """
    schema, name = table
    return ops.CreateForeignKeyOp(
        info["name"],
        name,
        info["referred_table"],
        info["constrained_columns"],
        info["referred_columns"],
        source_schema=schema,
        referent_schema=info["referred_schema"],
        **info.get("options", {}),
    )


def _surround(upgrade_ops: ops.UpgradeOps, table: TableKey, info: t.Any) -> None:
    schema, name = table
    create = reflected_key(table, info)
    drop = ops.DropConstraintOp.from_constraint(create.to_constraint())
    upgrade_ops.ops.insert(0, ops.ModifyTableOps(name, [drop], schema=schema))
    upgrade_ops.ops.append(ops.ModifyTableOps(name, [create], schema=schema))


comparison.add(_compare, "schema", priority="LAST")
