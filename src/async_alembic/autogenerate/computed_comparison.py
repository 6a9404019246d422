"""Drops a computed column whose expression has changed, and adds it again.

Alembic only warns. It compares the text of the model with what the server has made of
it, and leaves out whether the values are stored.

Registers an Alembic plugin. Before Alembic 1.18, it is left to Alembic.
"""

from __future__ import annotations

import collections.abc as c
import typing as t

import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy import event

from ..dialects import dialect_of
from . import plugins
from .plugins import Comparison

if t.TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

    RenderItem: t.TypeAlias = c.Callable[[str, t.Any, AutogenContext], str | bool]

comparison: Comparison = Comparison("computed", helps="defaults")


def rendering(render_item: RenderItem) -> RenderItem:
    """Return a function for Alembic's option ``render_item`` that writes whether a
    computed column is stored, where that depends on the versions of server and
    SQLAlchemy.

    :param render_item: The function that is asked first.
    """

    def render(kind: str, item: t.Any, autogen_context: AutogenContext) -> str | bool:
        rendered = render_item(kind, item, autogen_context)
        connection = autogen_context.connection

        if rendered is not False or not isinstance(item, sa.Computed):
            return rendered

        if kind != "server_default" or item.persisted is not None or not connection:
            return False

        computed = dialect_of(connection).computed_columns

        if not computed.depends_on_version:
            return False

        context = autogen_context.migration_context
        prefix = autogen_context.opts["sqlalchemy_module_prefix"] or ""
        text = context.impl.render_ddl_sql_expr(item.sqltext)
        stored = computed.are_stored(connection.dialect)
        return f"{prefix}Computed({text!r}, persisted={stored})"

    return render


def _compare(
    autogen_context: AutogenContext,
    alter_column_op: ops.AlterColumnOp,
    schema: str | None,
    table: str,
    column_name: str,
    inspected: sa.Column[t.Any],
    column: sa.Column[t.Any],
) -> t.Any:
    new, found = column.server_default, inspected.server_default

    if not isinstance(new, sa.Computed) or not isinstance(found, sa.Computed):
        return plugins.CONTINUE

    connection = autogen_context.connection
    assert connection is not None
    computed = dialect_of(connection).computed_columns
    stored = computed.are_stored(connection.dialect)
    is_stored = stored if new.persisted is None else new.persisted
    alter_column_op.existing_server_default = found
    alter_column_op.modify_server_default = False

    if bool(found.persisted) != is_stored:
        alter_column_op.modify_server_default = new
        return plugins.STOP

    one, other = _text(new, autogen_context), _text(found, autogen_context)
    # Only what is written in another way needs the server.
    is_same = one == other or computed.is_same(connection, inspected, one, other)

    if is_same is None:
        return plugins.CONTINUE

    if not is_same:
        alter_column_op.modify_server_default = new

    return plugins.STOP


def _text(computed: sa.Computed, autogen_context: AutogenContext) -> str:
    impl = autogen_context.migration_context.impl
    return impl.render_ddl_sql_expr(computed.sqltext)


def _replace(
    autogen_context: AutogenContext,
    upgrade_ops: ops.UpgradeOps,
    schemas: c.Iterable[str | None],
) -> t.Any:
    assert autogen_context.connection is not None
    computed = dialect_of(autogen_context.connection).computed_columns

    for table in [*upgrade_ops.ops]:
        if isinstance(table, ops.ModifyTableOps):
            for operation in [*table.ops]:
                if isinstance(operation, ops.AlterColumnOp) and (
                    isinstance(operation.modify_server_default, sa.Computed)
                    or isinstance(operation.existing_server_default, sa.Computed)
                    and not computed.can_be_altered
                ):
                    _surround(autogen_context, upgrade_ops, table, operation)


def _surround(
    autogen_context: AutogenContext,
    upgrade_ops: ops.UpgradeOps,
    table: ops.ModifyTableOps,
    changed: ops.AlterColumnOp,
) -> None:
    """Drop a column before its table is changed, and add it afterwards."""
    schema, name = table.schema, table.table_name
    default = _default_schema(autogen_context)
    model = next(
        item
        for item in autogen_context.sorted_tables
        if item.name == name and item.schema in (schema, schema or default)
    )
    found = sa.Table(name, sa.MetaData(), schema=schema)
    reflect: t.Any = autogen_context.migration_context.impl.autogen_column_reflect
    event.listen(found, "column_reflect", reflect)
    autogen_context.inspector.reflect_table(found, None, resolve_fks=False)
    drops, creates = _dependents(found, model, changed.column_name)
    drop = ops.DropColumnOp.from_column_and_tablename(
        schema, name, found.columns[changed.column_name]
    )
    add = ops.AddColumnOp.from_column_and_tablename(
        schema, name, model.columns[changed.column_name]
    )
    others = [op for op in table.ops if op is not changed and not _is_of(op, changed)]
    parts = [*drops, drop], others, [add, *creates]
    at = upgrade_ops.ops.index(table)
    upgrade_ops.ops[at : at + 1] = [
        ops.ModifyTableOps(name, part, schema=schema) for part in parts if part
    ]


def _is_of(op: ops.MigrateOperation, changed: ops.AlterColumnOp) -> bool:
    """Return whether an operation is on an index of the column, which is dropped and
    created anyway.
    """
    return isinstance(op, (ops.CreateIndexOp, ops.DropIndexOp)) and (
        changed.column_name in {column.name for column in op.to_index().columns}
    )


def _default_schema(autogen_context: AutogenContext) -> str | None:
    assert autogen_context.connection is not None
    return autogen_context.connection.dialect.default_schema_name


def _dependents(
    found: sa.Table, model: sa.Table, column: str
) -> tuple[list[ops.MigrateOperation], list[ops.MigrateOperation]]:
    """Return what drops the indexes and unique constraints of a column, and what
    creates them again.
    """
    drops = [
        ops.DropIndexOp.from_index(item)
        if isinstance(item, sa.Index)
        else ops.DropConstraintOp.from_constraint(item)
        for item in _uses(found, column)
    ]
    creates = [
        ops.CreateIndexOp.from_index(item)
        if isinstance(item, sa.Index)
        else ops.AddConstraintOp.from_constraint(item)
        for item in _uses(model, column)
    ]
    return [*drops], [*creates]


def _uses(table: sa.Table, column: str) -> c.Iterator[sa.Index | sa.UniqueConstraint]:
    for item in (*table.indexes, *table.constraints):
        if isinstance(item, (sa.Index, sa.UniqueConstraint)):
            if column in {used.name for used in item.columns}:
                yield item


# After a function of the app, and before Alembic.
comparison.add(
    _compare, "column", "server_default", priority="FIRST", needs_plugins=True
)
comparison.add(_replace, "schema", priority="LAST", needs_plugins=True)
