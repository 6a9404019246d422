"""Writes SQL as ``sa.text()`` reads it."""

from __future__ import annotations

import re

import sqlalchemy as sa

#: What may be taken for a parameter.
_PARAMETER = r"(?<![:\w]):(?=\w)"


def escaped(sql: str) -> str:
    """Return what ``sa.text()`` takes for some SQL without parameters."""
    escapes = (re.sub(colon, r"\\:", sql) for colon in (_PARAMETER, ":"))
    return next(text for text in (sql, *escapes) if _is_read_as(text, sql))


def _is_read_as(text: str, sql: str) -> bool:
    compiled = sa.text(text).compile()
    return not compiled.params and str(compiled) == sql
