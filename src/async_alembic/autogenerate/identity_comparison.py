"""Compares identities by all of their options, and renders the one that is there.

Without it, Alembic adds an identity where it should change or drop one. It overlooks an
option that goes.

Registers an Alembic plugin. Before Alembic 1.18, which added plugins, it is one more
comparison of columns, and has the last word.
"""

from __future__ import annotations

import inspect
import typing as t

import sqlalchemy as sa
from alembic.autogenerate import render
from alembic.autogenerate import renderers
from alembic.operations import ops

from ..dialects import dialect_of
from . import plugins
from .plugins import Comparison

if t.TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

comparison: Comparison = Comparison("identities", helps="defaults")
_OPTIONS = "always", "start", "increment", "minvalue", "maxvalue", "cycle", "cache"


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

    if not isinstance(new, sa.Identity) or not isinstance(found, sa.Identity):
        return plugins.CONTINUE

    assert autogen_context.connection is not None
    completed = dialect_of(autogen_context.connection).column_types.completed_identity

    if completed is None:
        return plugins.CONTINUE

    new = completed(new, inspected.type)
    is_same = all(getattr(new, name) == getattr(found, name) for name in _OPTIONS)
    alter_column_op.existing_server_default = found
    alter_column_op.modify_server_default = False if is_same else new
    return plugins.STOP


_render_as_alembic = renderers.dispatch(ops.AlterColumnOp("table", "column"))
# Alembic 1.16 renders it without the identity that is there.
_CAN_REPLACE = "replace" in inspect.signature(renderers.dispatch_for).parameters


def _render(autogen_context: AutogenContext, op: ops.AlterColumnOp) -> str:
    text = t.cast("str", _render_as_alembic(autogen_context, op))
    found = op.existing_server_default

    if op.modify_server_default is False or not isinstance(found, sa.Identity):
        return text

    # There's no public way to render a server default.
    default = render._render_server_default(found, autogen_context)
    indent = " " * 11
    return f"{text.removesuffix(')')},\n{indent}existing_server_default={default})"


if _CAN_REPLACE:
    renderers.dispatch_for(ops.AlterColumnOp, replace=True)(_render)

# After a function of the app, and before Alembic.
comparison.add(_compare, "column", "server_default", priority="FIRST")
