from __future__ import annotations

import dataclasses
import typing as t

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import SET

from ..column_types import ColumnTypes
from ..column_types import TypeStep
from .json_columns import is_text

if t.TYPE_CHECKING:
    from ..column_types import Parameters
    from ..column_types import Type


#: The most bytes of a text or blob that has its size in its name, and of the others.
_BYTES = {
    "TINYTEXT": 2**8 - 1,
    "TINYBLOB": 2**8 - 1,
    "MEDIUMTEXT": 2**24 - 1,
    "MEDIUMBLOB": 2**24 - 1,
    "LONGTEXT": 2**32 - 1,
    "LONGBLOB": 2**32 - 1,
}
_TEXT = 2**16 - 1


@dataclasses.dataclass(frozen=True)
class MySQLColumnTypes(ColumnTypes):
    """The types of MySQL and MariaDB, whose numbers may be unsigned."""

    precision: tuple[int, int] | None = (10, 0)
    fraction: str | None = "fsp"
    default_fraction: int | None = 0
    float_bits: int | None = 24
    real_bits: int = 53

    def is_changed(
        self, found: Type, new: Type, default_schema: str | None
    ) -> bool | None:
        if sizes := _sizes(new):
            return not sizes & _sizes(found) if _sizes(found) else None

        if _is_national(new, found) and self.parameters(new) == self.parameters(found):
            return False

        return super().is_changed(found, new, default_schema)

    def existing_type(self, found: Type, new: Type) -> Type:
        # It may have lost its check, which other databases of the app still have.
        return sa.JSON() if isinstance(new, sa.JSON) and is_text(found) else found

    def step_between(self, old: str, new: str) -> TypeStep | None:
        if old == "UUID" and new.startswith("CHAR(32)"):
            # The server writes it with hyphens.
            return TypeStep(sa.CHAR(36), "REPLACE({column}, '-', '')")

        return None

    def parameters(self, type_: Type) -> Parameters | None:
        match type_:
            case SET():
                return "set", *type_.values
            case sa.Enum(native_enum=True):
                return "enum", *type_.enums
            case sa.Integer():
                return "integer", _is_unsigned(type_)
            case sa.Numeric() if not isinstance(type_, sa.Float):
                return *(super().parameters(type_) or ()), _is_unsigned(type_)

        return super().parameters(type_)


def _sizes(type_: Type) -> set[tuple[bool, int]]:
    """Return which text or blob a type can be, as the server picks one that holds the
    given length. A character has up to four bytes.
    """
    name, length = type_.__visit_name__, getattr(type_, "length", None)
    is_text = isinstance(type_, sa.String)

    if type(type_) is sa.JSON:
        # MariaDB has no type of its own.
        name, is_text = "LONGTEXT", True

    if name in _BYTES:
        return {(is_text, _BYTES[name])}

    if not isinstance(type_, (sa.Text, sa.LargeBinary)):
        return set()

    shortest = length or _TEXT
    longest = 4 * length if is_text and length else shortest
    return {
        (is_text, size)
        for size in {*_BYTES.values(), _TEXT}
        if _fitting(shortest) <= size <= _fitting(longest)
    }


def _fitting(length: int) -> int:
    sizes = sorted({*_BYTES.values(), _TEXT})
    return next((size for size in sizes if length <= size), sizes[-1])


def _is_national(new: Type, found: Type) -> bool:
    """Return whether a type is shown as one with a character set."""
    return (isinstance(new, sa.NCHAR) and isinstance(found, sa.CHAR)) or (
        isinstance(new, sa.NVARCHAR) and isinstance(found, sa.VARCHAR)
    )


def _is_unsigned(type_: Type) -> bool:
    # All numbers with ZEROFILL are.
    options = "unsigned", "zerofill"
    return any(getattr(type_, option, False) for option in options)
