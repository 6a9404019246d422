"""Renders values as PostgreSQL literals, with SQLAlchemy's literal processors."""

from __future__ import annotations

import collections.abc as c
import datetime as dt
import decimal
import math
import typing as t
import uuid

import sqlalchemy as sa

if t.TYPE_CHECKING:
    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine

# A dialect remembers how to render those that it has seen before.
_BOOLEAN = sa.Boolean()
_INTEGER = sa.Integer()
_FLOAT = sa.Float()
_NUMERIC = sa.Numeric()
_STRING = sa.String()


def literal(value: object, dialect: Dialect, *, backslashes: bool) -> str | None:
    """Render a value as psycopg2 does: by its Python type, with a cast only where the
    server would infer another type.

    :param value: A value, as passed to the driver.
    :param dialect: A dialect that does not double percent signs.
    :param backslashes: Whether a backslash is an escape character in every string.
    :return: ``None`` if the value has no literal.
    """
    match value:
        case None:
            return "NULL"
        case bool():
            return _render(value, _BOOLEAN, dialect)
        case int():
            return _render_number(value, _INTEGER, dialect)
        case float():
            if not math.isfinite(value):
                return None

            return _render_number(value, _FLOAT, dialect)
        case decimal.Decimal():
            return (
                _render_number(value, _NUMERIC, dialect) if value.is_finite() else None
            )
        case str():
            if "\0" in value or (backslashes and "\\" in value):
                return None

            return _render(value, _STRING, dialect)
        case dt.datetime():
            type_ = sa.TIMESTAMP(timezone=value.tzinfo is not None)
            return _render_with_cast(value, type_, dialect)
        case dt.date():
            return _render_with_cast(value, sa.Date(), dialect)
        case dt.time():
            return _render_with_cast(
                value, sa.Time(timezone=value.tzinfo is not None), dialect
            )
        case uuid.UUID():
            return _render_with_cast(value, sa.Uuid(), dialect)
        case list() if all(item is None for item in value):
            # With a type of items, the server would not infer it from the column.
            return f"'{{{','.join(['NULL'] * len(value))}}}'"
        case list():
            return _render_items("ARRAY[{}]", value, dialect, backslashes)
        case tuple():
            return _render_items("({})", value, dialect, backslashes)

    return None


def _render_items(
    form: str, values: c.Iterable[object], dialect: Dialect, backslashes: bool
) -> str | None:
    items = [literal(each, dialect, backslashes=backslashes) for each in values]
    texts = [item for item in items if item is not None]
    return form.format(", ".join(texts)) if len(texts) == len(items) else None


def _render(value: object, type_: TypeEngine[t.Any], dialect: Dialect) -> str | None:
    process = type_.dialect_impl(dialect).literal_processor(dialect)
    return None if process is None else process(value)


def _render_number(
    value: object, type_: TypeEngine[t.Any], dialect: Dialect
) -> str | None:
    text = _render(value, type_, dialect)
    # After a minus sign, a second one would start a comment.
    return f" {text}" if text is not None and text.startswith("-") else text


def _render_with_cast(
    value: object, type_: TypeEngine[t.Any], dialect: Dialect
) -> str | None:
    text = _render(value, type_, dialect)
    return None if text is None else f"{text}::{type_.compile(dialect)}"
