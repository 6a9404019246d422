from __future__ import annotations

import dataclasses
import typing as t

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import SET

from ..column_types import ColumnTypes

if t.TYPE_CHECKING:
    from ..column_types import Parameters
    from ..column_types import Type


@dataclasses.dataclass(frozen=True)
class MySQLColumnTypes(ColumnTypes):
    """The types of MySQL and MariaDB, whose numbers may be unsigned."""

    precision: tuple[int, int] | None = (10, 0)
    fraction: str | None = "fsp"
    default_fraction: int | None = 0
    float_bits: int | None = 24
    real_bits: int = 53

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


def _is_unsigned(type_: Type) -> bool:
    # All numbers with ZEROFILL are.
    options = "unsigned", "zerofill"
    return any(getattr(type_, option, False) for option in options)
