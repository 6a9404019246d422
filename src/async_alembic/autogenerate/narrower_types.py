"""Tells whether a type holds less than another one."""

from __future__ import annotations

import collections.abc as c
import typing as t

import sqlalchemy as sa
from sqlalchemy.sql import sqltypes

from ..dialects import dialect_named
from ..dialects.column_types import type_on

if t.TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

#: The size of each integer type in bytes. The names are the same in all dialects.
_INTEGER_BYTES = {
    "boolean": 1,
    "BOOLEAN": 1,
    "TINYINT": 1,
    "small_integer": 2,
    "SMALLINT": 2,
    "MEDIUMINT": 3,
    "integer": 4,
    "INTEGER": 4,
    "big_integer": 8,
    "BIGINT": 8,
}
#: How long the values of some types of MySQL can be.
_LONGEST = {
    "TINYTEXT": 2**8,
    "TINYBLOB": 2**8,
    "MEDIUMTEXT": 2**24,
    "MEDIUMBLOB": 2**24,
}
_UNLIMITED = 2**32
#: The first kind that a type is an instance of. An enum is a text as well, a float a
#: number.
_KINDS: dict[str, type[TypeEngine[t.Any]]] = {
    "boolean": sa.Boolean,
    "enum": sa.Enum,
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
#: What holds all values of another kind.
_WIDER = {
    "boolean": {"integer", "number", "float"},
    "integer": {"number"},
    "date": {"datetime"},
}


def is_narrower(
    new: TypeEngine[t.Any], old: TypeEngine[t.Any], dialect: sa.Dialect
) -> bool | None:
    """Return whether a type does not hold every value of another one.

    :param new: The type.
    :param old: The other type.
    :param dialect: The dialect of the database, as types can have variants.
    :return: ``None`` if it is unknown.
    """
    if new.compile(dialect) == old.compile(dialect):
        return False

    new, old = type_on(dialect, new), type_on(dialect, old)
    kind, other = _kind_of(new, dialect), _kind_of(old, dialect)

    if kind is None or other is None:
        return None

    if kind == other:
        enforces = dialect_named(dialect.name).enforces_lengths
        return enforces and _COMPARED[kind](new, old)

    if kind == "text":
        return _length(new) < _length_as_text(old)

    if kind == "number" and other == "integer":
        return _digits_before_point(new) < len(str(2 ** (8 * _integer_bytes(old) - 1)))

    return kind not in _WIDER.get(other, ())


def _kind_of(type_: TypeEngine[t.Any], dialect: sa.Dialect) -> str | None:
    kind = next((k for k, class_ in _KINDS.items() if isinstance(type_, class_)), None)

    if kind == "boolean" and not dialect.supports_native_boolean:
        return "integer"

    if isinstance(type_, sa.Enum):
        is_native = type_.native_enum and dialect.supports_native_enum
        return "enum" if is_native else "text"

    return kind


def _length(type_: t.Any) -> int:
    return type_.length or _LONGEST.get(type_.__visit_name__, _UNLIMITED)


def _length_as_text(type_: t.Any) -> int:
    """Return the length that the values of a type need as texts, or 0 if unknown."""
    return _length(type_) if isinstance(type_, sa.String) else 0


def _integer_bytes(type_: t.Any) -> int:
    return _INTEGER_BYTES.get(type_.__visit_name__, 4)


def _digits_before_point(type_: t.Any) -> int:
    if type_.precision is None:
        return _UNLIMITED

    return t.cast("int", type_.precision - (type_.scale or 0))


def _is_shorter(new: t.Any, old: t.Any) -> bool:
    if hasattr(new, "values"):
        # A SET.
        return not {*getattr(old, "values", [None])} <= {*new.values}

    return _length(new) < _length(old)


def _loses_members(new: t.Any, old: t.Any) -> bool:
    return not {*old.enums} <= {*new.enums}


def _is_smaller(new: t.Any, old: t.Any) -> bool:
    signs = bool(getattr(new, "unsigned", False)), bool(getattr(old, "unsigned", False))

    match signs:
        case (True, False):
            # It has no negative numbers.
            return True
        case (False, True):
            return _integer_bytes(new) <= _integer_bytes(old)

    return _integer_bytes(new) < _integer_bytes(old)


def _is_less_precise(new: t.Any, old: t.Any) -> bool:
    if _digits_before_point(new) < _digits_before_point(old):
        return True

    if new.precision is None:
        return False

    return old.precision is None or (new.scale or 0) < (old.scale or 0)


def _is_less_exact(new: t.Any, old: t.Any) -> bool:
    return _bits(new) < _bits(old)


def _bits(type_: t.Any) -> int:
    double = isinstance(type_, sa.Double)
    default = {"REAL": 24}.get(type_.__visit_name__, 53)
    return 53 if double else type_.precision or default


def _is_less_of_a_time(new: t.Any, old: t.Any) -> bool:
    if old.timezone and not new.timezone:
        return True

    return _fraction(new) < _fraction(old)


def _fraction(type_: t.Any) -> int:
    """Return how many digits of a second a type keeps, as far as it says so."""
    digits = getattr(type_, "precision", None)
    digits = getattr(type_, "fsp", None) if digits is None else digits
    return 6 if digits is None else digits


_COMPARED: dict[str, c.Callable[[t.Any, t.Any], bool]] = {
    "boolean": lambda new, old: False,
    "enum": _loses_members,
    "text": _is_shorter,
    "binary": _is_shorter,
    "integer": _is_smaller,
    "float": _is_less_exact,
    "number": _is_less_precise,
    "datetime": _is_less_of_a_time,
    "date": lambda new, old: False,
    "time": _is_less_of_a_time,
}
