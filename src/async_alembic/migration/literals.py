"""Writes values into SQL, so that the server reads what a driver would have sent."""

from __future__ import annotations

import datetime as dt
import json
import re
import typing as t

import sqlalchemy as sa

if t.TYPE_CHECKING:
    from ..dialects.scripts import ScriptStyle

#: Within ``text()``, SQLAlchemy removes this backslash.
_escape = re.compile(r"\\(?=:)")


def use_literals(dialect: sa.Dialect, style: ScriptStyle) -> None:
    """Let a dialect write values that SQLAlchemy has no literals for, or others.

    :param dialect: The dialect of one script.
    :param style: How statements stand in it.
    """
    base: t.Any = dialect.statement_compiler

    class Compiler(base):  # type: ignore[misc]
        _is_in_text = False

        def visit_textclause(self, *args: t.Any, **kwargs: t.Any) -> str:
            self._is_in_text = True

            try:
                return str(super().visit_textclause(*args, **kwargs))
            finally:
                self._is_in_text = False

        def render_literal_value(self, value: t.Any, type_: t.Any) -> str:
            literal = self._literal(value, type_)
            return _escape.sub(r"\\\\", literal) if self._is_in_text else literal

        def _literal(self, value: t.Any, type_: t.Any) -> str:
            if isinstance(value, bytes):
                return style.bytes_literal(value)

            if isinstance(value, dt.timedelta) and (text := style.interval(value)):
                value, type_ = text, sa.String()
            elif isinstance(type_, sa.JSON):
                value, type_ = json.dumps(value), sa.String()
            elif isinstance(type_, sa.types.NullType) and value is not None:
                type_ = sa.literal(value).type

            return str(super().render_literal_value(value, type_))

    dialect.statement_compiler = Compiler
