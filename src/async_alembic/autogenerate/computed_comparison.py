"""Drops a computed column whose expression has changed, and adds it again. Lets a
column start or stop being computed.

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
from .computed_operations import ComputeColumnOp
from .plugins import Comparison

if t.TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

    from ..dialects.computed_columns import ComputedColumns

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

    if not isinstance(new, sa.Computed) and not isinstance(found, sa.Computed):
        return plugins.CONTINUE

    if not isinstance(new, sa.Computed) or not isinstance(found, sa.Computed):
        alter_column_op.existing_server_default = t.cast("t.Any", found)
        alter_column_op.modify_server_default = new
        return plugins.STOP

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
            if changed := [op for op in table.ops if _is_replaced(op, computed)]:
                at = upgrade_ops.ops.index(table)
                upgrade_ops.ops[at : at + 1] = _parts(autogen_context, table, changed)


def _is_replaced(
    op: ops.MigrateOperation, computed: ComputedColumns
) -> t.TypeGuard[ops.AlterColumnOp]:
    if not isinstance(op, ops.AlterColumnOp):
        return False

    if isinstance(op.existing_server_default, sa.Computed):
        return op.modify_server_default is not False or not computed.can_be_altered

    return isinstance(op.modify_server_default, sa.Computed)


def _parts(
    autogen_context: AutogenContext,
    table: ops.ModifyTableOps,
    changed: list[ops.AlterColumnOp],
) -> c.Iterator[ops.MigrateOperation]:
    """Yield what drops columns before their table is changed, and adds them afterwards.
    A column stops being computed before the others are changed.
    """
    schema, name = table.schema, table.table_name
    model, found = _model_of(autogen_context, table), _found(autogen_context, table)
    pairs = [
        (found.columns[op.column_name], model.columns[op.column_name]) for op in changed
    ]
    again = [pair for pair in pairs if all(column.computed for column in pair)]
    computes = [
        _compute(*pair, found, model, autogen_context.dialect)
        for pair in pairs
        if not all(column.computed for column in pair)
    ]
    both = {new.name for _, new in again}
    drops, creates = _dependents(found, model, both)
    drop = [
        ops.DropColumnOp.from_column_and_tablename(schema, name, old)
        for old, _ in again
    ]
    add = [
        ops.AddColumnOp.from_column_and_tablename(schema, name, new) for _, new in again
    ]
    others = [op for op in table.ops if op not in changed and not _is_of(op, both)]
    yield from (op for op in computes if not op.starts)

    for part in [*drops, *drop], others, [*add, *creates]:
        if part:
            yield ops.ModifyTableOps(name, part, schema=schema)

    yield from (op for op in computes if op.starts)


def _compute(
    old: sa.Column[t.Any],
    new: sa.Column[t.Any],
    found: sa.Table,
    model: sa.Table,
    dialect: sa.Dialect,
) -> ComputeColumnOp:
    # A column starts after the others are changed, and stops before.
    table = found if new.computed is None else model
    return ComputeColumnOp(old, new, *_dependents(table, table, {new.name}), dialect)


def _model_of(autogen_context: AutogenContext, table: ops.ModifyTableOps) -> sa.Table:
    assert autogen_context.connection is not None
    default = autogen_context.connection.dialect.default_schema_name
    return next(
        item
        for item in autogen_context.sorted_tables
        if item.name == table.table_name
        and item.schema in (table.schema, table.schema or default)
    )


def _found(autogen_context: AutogenContext, table: ops.ModifyTableOps) -> sa.Table:
    found = sa.Table(table.table_name, sa.MetaData(), schema=table.schema)
    reflect: t.Any = autogen_context.migration_context.impl.autogen_column_reflect
    event.listen(found, "column_reflect", reflect)
    autogen_context.inspector.reflect_table(found, None, resolve_fks=False)
    return found


def _is_of(op: ops.MigrateOperation, columns: c.Set[str]) -> bool:
    """Return whether an operation is on an index of some columns, which is dropped and
    created anyway.
    """
    return isinstance(
        op, (ops.CreateIndexOp, ops.DropIndexOp)
    ) and not columns.isdisjoint(column.name for column in op.to_index().columns)


def _dependents(
    found: sa.Table, model: sa.Table, columns: c.Set[str]
) -> tuple[list[ops.MigrateOperation], list[ops.MigrateOperation]]:
    """Return what drops the indexes and unique constraints of some columns, and what
    creates them again.
    """
    drops = [
        ops.DropIndexOp.from_index(item)
        if isinstance(item, sa.Index)
        else ops.DropConstraintOp.from_constraint(item)
        for item in _uses(found, columns)
    ]
    creates = [
        ops.CreateIndexOp.from_index(item)
        if isinstance(item, sa.Index)
        else ops.AddConstraintOp.from_constraint(item)
        for item in _uses(model, columns)
    ]
    return [*drops], [*creates]


def _uses(
    table: sa.Table, columns: c.Set[str]
) -> c.Iterator[sa.Index | sa.UniqueConstraint]:
    for item in (*table.indexes, *table.constraints):
        if isinstance(item, (sa.Index, sa.UniqueConstraint)):
            if not columns.isdisjoint(used.name for used in item.columns):
                yield item


# After a function of the app, and before Alembic.
comparison.add(
    _compare, "column", "server_default", priority="FIRST", needs_plugins=True
)
comparison.add(_replace, "schema", priority="LAST", needs_plugins=True)
