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


class MissingValueError(ValueError):
    """A parameter has no value, so that an upgrade would fail as well.

    :param name: The name of the parameter.
    :ivar advice: What to do.
    """

    def __init__(self, name: str) -> None:
        self.advice: str = (
            f"Pass the value, or escape a colon that names no parameter: '\\:{name}'."
        )
        super().__init__(f"A value is required for bind parameter '{name}'")


def use_literals(dialect: sa.Dialect, style: ScriptStyle) -> None:
    """Let a dialect write values that SQLAlchemy has no literals for, or others.

    :param dialect: The dialect of one script.
    :param style: How statements stand in it.
    """
    base: t.Any = dialect.statement_compiler

    class Compiler(base):  # type: ignore[misc]
        _is_in_text = False
        _has_value = False

        def visit_textclause(self, *args: t.Any, **kwargs: t.Any) -> str:
            self._is_in_text = True

            try:
                return str(super().visit_textclause(*args, **kwargs))
            finally:
                self._is_in_text = False

        def render_literal_bindparam(self, bindparam: t.Any, **kwargs: t.Any) -> str:
            self._has_value = False
            text = str(super().render_literal_bindparam(bindparam, **kwargs))

            # SQLAlchemy writes NULL where a connection raises an error.
            if bindparam.required and text == "NULL" and not self._has_value:
                raise MissingValueError(bindparam.key)

            return text

        def render_literal_value(self, value: t.Any, type_: t.Any) -> str:
            self._has_value = True
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
