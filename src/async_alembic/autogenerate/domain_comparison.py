"""Leaves out of comparisons what a column has from its domain: a default, and that it
is never null. Databases show these as if the column had them itself.

Registers an Alembic plugin. Before Alembic 1.18, which added plugins, it is one more
comparison of columns, and has the last word.
"""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from . import plugins
from .plugins import Comparison

if t.TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import ops

comparison: Comparison = Comparison("domains", helps="tables")


def _compare_nullable(
    autogen_context: AutogenContext,
    alter_column_op: ops.AlterColumnOp,
    schema: str | None,
    table: str,
    column_name: str,
    inspected: sa.Column[t.Any],
    column: sa.Column[t.Any],
) -> t.Any:
    # Only domains have this attribute.
    if not getattr(inspected.type, "not_null", False) or not column.nullable:
        return plugins.CONTINUE

    alter_column_op.existing_nullable = True
    alter_column_op.modify_nullable = None
    return plugins.STOP


def _compare_default(
    autogen_context: AutogenContext,
    alter_column_op: ops.AlterColumnOp,
    schema: str | None,
    table: str,
    column_name: str,
    inspected: sa.Column[t.Any],
    column: sa.Column[t.Any],
) -> t.Any:
    found = getattr(inspected.server_default, "arg", None)
    of_domain = getattr(inspected.type, "default", None)

    if column.server_default is not None or of_domain is None:
        return plugins.CONTINUE

    if str(found) != str(of_domain):
        return plugins.CONTINUE

    alter_column_op.existing_server_default = None
    alter_column_op.modify_server_default = False
    return plugins.STOP


comparison.add(_compare_default, "column", "server_default", priority="FIRST")
comparison.add(_compare_nullable, "column", "nullable", priority="FIRST")
