"""Compares identities by all of their options, and renders the one that is there.

Without it, Alembic adds an identity where it should change or drop one. It overlooks an
option that goes, and that a column with an identity is NOT NULL.

Registers an Alembic plugin. Before Alembic 1.18, which added plugins, it is one more
comparison of columns, and has the last word.
"""

from __future__ import annotations

import collections.abc as c
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
    assert autogen_context.connection is not None
    completed = dialect_of(autogen_context.connection).column_types.completed_identity

    if completed is None or not _is_compared(new, found):
        return plugins.CONTINUE

    alter_column_op.existing_server_default = found

    if not isinstance(new, sa.Identity) or not isinstance(found, sa.Identity):
        alter_column_op.modify_server_default = new
        nullable = bool(column.nullable) and not isinstance(new, sa.Identity)

        if nullable != inspected.nullable:
            alter_column_op.modify_nullable = nullable

        return plugins.STOP

    new = completed(new, inspected.type)
    is_same = all(getattr(new, name) == getattr(found, name) for name in _OPTIONS)
    alter_column_op.modify_server_default = False if is_same else new
    return plugins.STOP


def _is_compared(*defaults: object) -> bool:
    """Return whether there is an identity, and nothing but a default beside it."""
    kinds = sa.Identity, sa.DefaultClause, type(None)
    return any(isinstance(default, sa.Identity) for default in defaults) and all(
        isinstance(default, kinds) for default in defaults
    )


def _separate(
    autogen_context: AutogenContext,
    upgrade_ops: ops.UpgradeOps,
    schemas: c.Iterable[str | None],
) -> None:
    for table in upgrade_ops.ops:
        if isinstance(table, ops.ModifyTableOps):
            table.ops[:] = [step for op in table.ops for step in _steps_of(op)]


def _steps_of(op: ops.MigrateOperation) -> c.Iterator[ops.MigrateOperation]:
    """Yield an operation in steps, if a column gets an identity or loses it. It can
    have no other default and no NULL meanwhile, in both directions.
    """
    if not isinstance(op, ops.AlterColumnOp) or op.modify_server_default is False:
        yield op
        return

    new, found = op.modify_server_default, op.existing_server_default

    if isinstance(new, sa.Identity) == isinstance(found, sa.Identity):
        yield op
        return

    if found is not None and found is not False:
        yield _changing_default(op, op.existing_type, found, None)

    op.modify_server_default, op.existing_server_default = False, None

    if op.has_changes():
        yield op

    if new is not None:
        yield _changing_default(op, op.modify_type or op.existing_type, None, new)


def _changing_default(
    op: ops.AlterColumnOp, type_: t.Any, old: t.Any, new: t.Any
) -> ops.AlterColumnOp:
    return ops.AlterColumnOp(
        op.table_name,
        op.column_name,
        schema=op.schema,
        existing_type=type_,
        existing_server_default=old,
        modify_server_default=new,
    )


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
comparison.add(_separate, "schema", priority="LAST")
