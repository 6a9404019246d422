"""Lets the dialect compare server defaults before Alembic does.

Registers an Alembic plugin. Before Alembic 1.18, which added plugins, it replaces the
comparison method.
"""

from __future__ import annotations

import collections.abc as c
import typing as t

import sqlalchemy as sa
from alembic import util

from ..dialects import dialect_of
from ..dialects.translated_schemas import schemas_of
from . import plugins
from .comparison import comparison_of
from .plugins import Comparison

if t.TYPE_CHECKING:
    from alembic.operations import ops
    from alembic.runtime.migration import MigrationContext

comparison: Comparison = Comparison("server_defaults", helps="defaults")


def install(context: MigrationContext) -> None:
    """Replace the comparison method in versions of Alembic without plugins."""
    if plugins.HAS_PLUGINS:
        return

    impl: t.Any = context.impl
    compare = impl.compare_server_default

    def compare_server_default(
        inspected: sa.Column[t.Any],
        column: sa.Column[t.Any],
        new: str | None,
        found: str | None,
    ) -> bool:
        is_changed = None

        if new is not None and found is not None:
            is_changed = _is_changed(context, inspected, column, found)

        if is_changed is None:
            return bool(compare(inspected, column, new, found))

        return is_changed

    impl.compare_server_default = compare_server_default


def _compare(
    autogen_context: t.Any,
    alter_column_op: t.Any,
    schema: str | None,
    table: str,
    column_name: str,
    inspected: sa.Column[t.Any],
    column: sa.Column[t.Any],
) -> util.PriorityDispatchResult:
    new, found = column.server_default, inspected.server_default

    # Computed columns and identities are not server defaults.
    if not isinstance(new, sa.DefaultClause) or not isinstance(
        found, sa.DefaultClause | None
    ):
        return util.PriorityDispatchResult.CONTINUE

    context, is_changed = autogen_context.migration_context, None

    if found is not None:
        text = t.cast("sa.TextClause", found.arg).text
        is_changed = _is_changed(context, inspected, column, text)

    if is_changed is not False:
        connection = context.connection
        defaults = dialect_of(connection).defaults

        if defaults.is_shown_the_same(connection, inspected, new):
            return util.PriorityDispatchResult.STOP

    if is_changed is None:
        return util.PriorityDispatchResult.CONTINUE

    if is_changed:
        alter_column_op.modify_server_default = new

    return util.PriorityDispatchResult.STOP


def _is_changed(
    context: MigrationContext,
    inspected: sa.Column[t.Any],
    column: sa.Column[t.Any],
    found: str,
) -> bool | None:
    assert context.connection is not None
    defaults = dialect_of(context.connection).defaults
    comparison = comparison_of(context)
    default = t.cast("sa.DefaultClause", column.server_default)
    new = render(default, context.dialect, schemas_of(context.connection))

    if comparison is None or not defaults.server_compares:
        return defaults.is_changed(inspected, column, new, found)

    key = comparison.questions.compare(inspected, column, new, found)

    if isinstance(key, bool):
        return key

    # Until all tables are compared, and the server is asked.
    table = inspected.table
    comparison.undecided[table.schema, table.name, column.name] = key
    return True


def _decide(
    autogen_context: t.Any, upgrade_ops: ops.UpgradeOps, schemas: object
) -> t.Any:
    if comparison := comparison_of(autogen_context.migration_context):
        comparison.decide(autogen_context.connection, upgrade_ops)


def render(
    default: sa.DefaultClause,
    dialect: sa.Dialect,
    schemas: c.Mapping[t.Any, t.Any] | None = None,
) -> str:
    """Render the default of a model as SQL, as Alembic's comparison does.

    :param schemas: The ``schema_translate_map``, which sequences need.
    """
    if isinstance(default.arg, str):
        return default.arg

    compiled = default.arg.compile(
        dialect=dialect,
        compile_kwargs={"literal_binds": True},
        schema_translate_map=schemas,
        render_schema_translate=bool(schemas),
    )
    return str(compiled)


comparison.add(_compare, "column", "server_default", needs_plugins=True)
comparison.add(_decide, "schema", priority="LAST")
