"""Lets the dialect compare types before Alembic does.

Registers an Alembic plugin. Before Alembic 1.18, which added plugins, it is one more
comparison of columns, and has the last word.
"""

from __future__ import annotations

import typing as t

from ..dialects import dialect_of
from ..dialects.column_types import type_on
from . import plugins
from .plugins import Comparison

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import ops

comparison: Comparison = Comparison("types", helps="types")


def _compare(
    autogen_context: AutogenContext,
    alter_column_op: ops.AlterColumnOp,
    schema: str | None,
    table: str,
    column_name: str,
    inspected: sa.Column[t.Any],
    column: sa.Column[t.Any],
) -> t.Any:
    connection = autogen_context.connection
    assert connection is not None
    types = dialect_of(connection).column_types
    new = type_on(connection.dialect, column.type)
    inspected.type = types.existing_type(inspected.type, new)
    compares = autogen_context.opts.get("compare_type")
    is_changed = None

    # Alembic before 1.18 asks a function of the app by itself.
    if plugins.HAS_PLUGINS or (compares is not False and not callable(compares)):
        is_changed = types.is_changed(
            inspected.type, new, connection.dialect.default_schema_name
        )

    if is_changed is None:
        return plugins.CONTINUE

    alter_column_op.existing_type = inspected.type
    alter_column_op.modify_type = column.type if is_changed else None
    return plugins.STOP


comparison.add(_compare, "column", "types")
