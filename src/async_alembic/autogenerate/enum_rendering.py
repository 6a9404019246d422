"""Renders columns that don't create the types of their enums, where these are types of
their own. An operation of the same revision or an earlier one does.
"""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from ..dialects.column_types import type_on
from .enum_comparison import enums_of

if t.TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.runtime.migration import MigrationContext


def install(context: MigrationContext) -> None:
    """Set the option ``render_item`` of a migration context. A function of the app is
    asked first.

    :param context: Alembic's migration context.
    """
    render_item = context.opts.get("render_item")

    def render(kind: str, item: t.Any, autogen_context: AutogenContext) -> t.Any:
        if render_item is not None:
            text = render_item(kind, item, autogen_context)

            if text is not False:
                return text

        return _render(item, autogen_context) if kind == "type" else False

    context.opts["render_item"] = render


def _render(type_: t.Any, autogen_context: AutogenContext) -> str | t.Literal[False]:
    context = autogen_context.migration_context
    enums = enums_of(context)

    # Types of others, and those that differ by database, are rendered as they are.
    is_plain = isinstance(type_, sa.Enum) and type(type_).__module__.startswith(
        "sqlalchemy."
    )
    has_variants = is_plain and type_on(context.dialect, type_) is not type_

    if enums is None or not is_plain or has_variants:
        return False

    enum = enums.enum_of(type_, context.dialect)

    if enum is None:
        return False

    text, imported = enums.source(enum)
    autogen_context.imports.add(imported)
    return text
