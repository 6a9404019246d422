"""Converts values to another type as SQLAlchemy stores them on SQLite.

``CAST`` to a type that SQLite does not know makes a number of any value:
``CAST('2024-01-02' AS DATETIME)`` is 2024
(https://www.sqlite.org/datatype3.html, section 3.1).
"""

from __future__ import annotations

import datetime as dt
import typing as t

import sqlalchemy as sa
from sqlalchemy.sql import sqltypes
from sqlalchemy.types import to_instance

from ...errors import BatchError
from ..column_types import type_on
from .tokens import fold
from .tokens import quote

if t.TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

    Type: t.TypeAlias = TypeEngine[t.Any]

_ADVICE = "Correct it with op.execute() before the batch."


class _Form(t.NamedTuple):
    """A form of values that fit a type. Both are SQL, with ``{x}`` for the value.

    :param condition: Whether a value has the form.
    :param stored: What is stored.
    """

    condition: str
    stored: str = "{x}"


def _padded(time: str) -> str:
    """Return SQL that adds seconds and microseconds to a time without them. Without
    them, SQLite would not find it equal.
    """
    return f"({time} || substr('00:00:00.000000', length({time}) + 1))"


_MICROSECONDS = ".[0-9][0-9][0-9][0-9][0-9][0-9]"
_TIME = _padded("{x}")
_DATETIME = f"(substr({{x}}, 1, 10) || ' ' || {_padded('substr({x}, 12)')})"

# SQLite's own functions take more than dates, such as a 30th of February, and return
# another text for that once they add something.
_as_date = _Form("date({x}, '+0 days') = {x} AND {x} > '0001'")
_as_datetime = _Form(
    "{x} GLOB '????-??-??[ T]??:??*' AND length({x}) NOT IN (17, 18, 20)"
    f" AND datetime(substr({_DATETIME}, 1, 19), '+0 days')"
    f" = substr({_DATETIME}, 1, 19)"
    f" AND substr({_DATETIME}, 20) GLOB '{_MICROSECONDS}' AND {{x}} > '0001'",
    _DATETIME,
)
_as_time = _Form(
    "{x} GLOB '??:??*' AND length({x}) NOT IN (6, 7, 9)"
    f" AND time(substr({_TIME}, 1, 8)) = substr({_TIME}, 1, 8)"
    f" AND substr({_TIME}, 9) GLOB '{_MICROSECONDS}'",
    _TIME,
)

_is_text = "typeof({x}) = 'text'"
_as_number = _Form("typeof({x}) IN ('integer', 'real')")
# A comparison with a number makes numbers of those texts only that are one.
_looks_numeric = f"{_is_text} AND CAST({{x}} AS NUMERIC) = {{x}}"
_digits = (
    "ltrim(rtrim(replace(replace(replace({x}, '-', ''), '+', ''), '.', ''), '0'), '0')"
)
_hex = "lower(replace({x}, '-', ''))"
_word = "lower(trim({x}))"

_INTEGER = "CAST(CAST({x} AS NUMERIC) AS INTEGER)"
_FORMS: dict[str, list[_Form]] = {
    "date": [_as_date, _Form(_as_datetime.condition, "substr({x}, 1, 10)")],
    "datetime": [_Form(_as_date.condition, "{x} || ' 00:00:00.000000'"), _as_datetime],
    "time": [_as_time, _Form(_as_datetime.condition, f"substr({_DATETIME}, 12)")],
    "text": [
        # It has 15 digits, which are not all that a number can have.
        _Form(
            "typeof({x}) = 'real' AND CAST(CAST({x} AS TEXT) AS REAL) <> {x}",
            "printf('%!.17g', {x})",
        ),
        _Form("1", "CAST({x} AS TEXT)"),
    ],
    "binary": [_Form("1", "CAST({x} AS BLOB)")],
    "boolean": [
        _as_number,
        _Form(f"{_is_text} AND {_word} IN ('true', 't', 'yes', 'y', 'on', '1')", "1"),
        _Form(f"{_is_text} AND {_word} IN ('false', 'f', 'no', 'n', 'off', '0')", "0"),
    ],
    "integer": [
        _Form("typeof({x}) = 'integer'"),
        _Form("typeof({x}) = 'real' AND abs({x}) < 9.2e18", "CAST({x} AS INTEGER)"),
        _Form(f"{_looks_numeric} AND {_INTEGER} = CAST({{x}} AS NUMERIC)", _INTEGER),
    ],
    "float": [_as_number, _Form(_looks_numeric, "CAST({x} AS REAL)")],
    "number": [
        _as_number,
        # SQLite keeps 15 digits of what is not an integer.
        _Form(
            f"{_looks_numeric} AND (typeof(CAST({{x}} AS NUMERIC)) = 'integer'"
            f" OR length({_digits}) <= 15)",
            "CAST({x} AS NUMERIC)",
        ),
    ],
    "json": [_as_number, _Form("json_valid(CAST({x} AS TEXT))", "CAST({x} AS TEXT)")],
    "uuid": [
        _Form(
            f"{_is_text} AND length({_hex}) = 32 AND {_hex} NOT GLOB '*[^0-9a-f]*'",
            _hex,
        ),
        _Form("typeof({x}) = 'blob' AND length({x}) = 16", "lower(hex({x}))"),
    ],
}
#: The first kind that a type is an instance of.
_KINDS: dict[str, type[Type]] = {
    "boolean": sa.Boolean,
    "json": sa.JSON,
    "uuid": sa.Uuid,
    "text": sa.String,
    # There's no public base class of BINARY and BLOB.
    "binary": sqltypes._Binary,
    "integer": sa.Integer,
    "float": sa.Float,
    "number": sa.Numeric,
    "datetime": sa.DateTime,
    "date": sa.Date,
    "time": sa.Time,
}
#: A value of each kind that models can store in other formats, and its usual one.
_USUAL: dict[str, tuple[dt.date | dt.time, str]] = {
    "datetime": (dt.datetime(2001, 2, 3, 4, 5, 6, 7), "2001-02-03 04:05:06.000007"),
    "date": (dt.date(2001, 2, 3), "2001-02-03"),
    "time": (dt.time(4, 5, 6, 7), "04:05:06.000007"),
}


def convert(
    column: sa.ColumnElement[t.Any], old: Type, new: Type, dialect: sa.Dialect
) -> sa.ColumnElement[t.Any]:
    """Return a column's values as those of another type. What does not fit that, or is
    of a type that is not known, stays as it is.

    :param column: The column, or an expression.
    :param old: Its type.
    :param new: The other type.
    :param dialect: The dialect of the database.
    """
    if not (forms := _forms(old, new, dialect)):
        return column

    x = str(column.compile(dialect=dialect))

    def sql(text: str) -> sa.ColumnElement[t.Any]:
        return sa.literal_column(text.replace("{x}", x))

    cases = ((sql(form.condition), sql(form.stored)) for form in forms)
    return sa.case(*cases, else_=column)


def check_values(
    connection: sa.Connection,
    table: str,
    schema: str,
    columns: dict[str, Type],
) -> None:
    """Check that the values of columns can be converted.

    :param columns: The new types, by the folded names of the columns.
    :raises BatchError: If a value does not fit the new type.
    """
    if not columns:
        return

    for found in sa.inspect(connection).get_columns(table, schema):
        name, old = fold(found["name"]), found["type"]
        new = columns.get(name)
        forms = _forms(old, new, connection.dialect) if new is not None else []

        if not forms or "computed" in found:
            continue

        x = quote(name)
        fits = " OR ".join(f"({form.condition})" for form in forms).replace("{x}", x)
        query = (
            f"SELECT {x} FROM {quote(schema)}.{quote(table)}"
            f" WHERE {x} IS NOT NULL AND NOT coalesce({fits}, 0) LIMIT 1"
        )

        for (value,) in connection.exec_driver_sql(query):
            type_ = to_instance(new).compile(dialect=connection.dialect)
            text = repr(value)
            text = text if len(text) <= 60 else f"{text[:57]}..."
            reason = (
                f"the value {text} of column '{found['name']}' does not fit {type_}"
            )
            raise BatchError(table, None, reason, _ADVICE)


def _forms(old: Type, new: Type | type[Type], dialect: sa.Dialect) -> list[_Form]:
    """Return the forms of values that fit a type; none to keep all as they are."""
    kind, other = _kind_of(to_instance(new), dialect), _kind_of(old, dialect)
    is_same = kind == other or {kind, other} == {"float", "number"}
    return [] if kind is None or is_same else _FORMS[kind]


def _kind_of(type_: Type, dialect: sa.Dialect) -> str | None:
    type_ = type_on(dialect, type_)
    kind = next((k for k, class_ in _KINDS.items() if isinstance(type_, class_)), None)

    if kind in _USUAL:
        value, usual = _USUAL[kind]
        store = type_.dialect_impl(dialect).bind_processor(dialect)
        return kind if store is not None and store(value) == usual else None

    return kind
