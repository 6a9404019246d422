"""Compares what the types of models and database have beside their names: lengths,
precisions, values.

Alembic compares them only where both types have the same number of them.
"""

from __future__ import annotations

import collections.abc as c
import dataclasses
import typing as t

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator
from sqlalchemy.types import TypeEngine

if t.TYPE_CHECKING:
    Type: t.TypeAlias = TypeEngine[t.Any]
    #: The kind of a type, and its parameters.
    Parameters: t.TypeAlias = tuple[object, ...]

#: The most bits of a float of four bytes.
_SINGLE = 24
_DOUBLE = 53


@dataclasses.dataclass(frozen=True)
class TypeStep:
    """What a column is for a while, as a server does not convert its values at once.

    :param type: The type.
    :param expression: What its values are then set to, by ``{column}``.
    """

    type: Type
    expression: str


@dataclasses.dataclass(frozen=True)
class ColumnTypes:
    """How a database shows the parameters of types.

    :param precision: The precision and the scale of a number that has none in models.
    :param fraction: The attribute with the digits of a second, where types have it.
    :param default_fraction: The digits of a type that has none in models.
    :param float_bits: The bits of a float that has none in models; ``None`` if floats
        are left to Alembic.
    :param real_bits: The bits of ``REAL``.
    :param completed_identity: Takes the identity of a model and the type of its column
        in the database, and returns it with all of its options; ``None`` to leave
        identities to Alembic.
    """

    precision: tuple[int, int] | None = None
    fraction: str | None = None
    default_fraction: int | None = None
    float_bits: int | None = None
    real_bits: int = _SINGLE
    completed_identity: c.Callable[[sa.Identity, Type], sa.Identity] | None = None

    def is_changed(
        self, found: Type, new: Type, default_schema: str | None
    ) -> bool | None:
        """Return whether the type of a column has changed.

        :param found: The type of the database.
        :param new: The type of the model, on this database.
        :param default_schema: The name of the default schema.
        :return: ``None`` to use Alembic's comparison.
        """
        if isinstance(found, sa.ARRAY) and isinstance(new, sa.ARRAY):
            return self.is_changed(found.item_type, new.item_type, default_schema)

        if isinstance(found, sa.Float) and isinstance(new, sa.Float):
            return self._is_other_float(found, new)

        if _is_same_enum(found, new, default_schema):
            return False

        one, other = self.parameters(found), self.parameters(new)
        is_same_kind = one is not None and other is not None and one[0] == other[0]
        return True if is_same_kind and one != other else None

    def existing_type(self, found: Type, new: Type) -> Type:
        """Return the type that a column has already, where the database does not tell.

        :param found: The type of the database.
        :param new: The type of the model, on this database.
        """
        return found

    def step_between(self, old: str, new: str) -> TypeStep | None:
        """Return what is between two types, if a server can't convert one to the other.

        :param old: The type, as it is written in a statement.
        :param new: The other one.
        """
        return None

    def parameters(self, type_: Type) -> Parameters | None:
        """Return what is compared of a type; ``None`` to leave it to Alembic."""
        match type_:
            case sa.Enum() | sa.Text() | sa.Float():
                return None
            case sa.CHAR() | sa.NCHAR():
                return "text", type_.length or 1
            case sa.String():
                return "text", type_.length
            case sa.BINARY():
                return "binary", type_.length or 1
            case sa.VARBINARY():
                return "binary", type_.length
            case sa.Numeric(precision=None):
                return "number", self.precision
            case sa.Numeric():
                return "number", (type_.precision, type_.scale or 0)
            case sa.DateTime() | sa.Time() if self.fraction:
                digits = getattr(type_, self.fraction, None)
                return "time", self.default_fraction if digits is None else digits
            case TypeEngine(__visit_name__="INTERVAL") if self.fraction:
                digits = getattr(type_, self.fraction, None)
                fields = str(getattr(type_, "fields", None) or "").lower()
                return (
                    "interval",
                    self.default_fraction if digits is None else digits,
                    fields,
                )

        return None

    def _is_other_float(self, found: t.Any, new: t.Any) -> bool | None:
        if self.float_bits is None or (found.scale, new.scale) != (None, None):
            return None

        return (self._bits(found) > _SINGLE) != (self._bits(new) > _SINGLE)

    def _bits(self, type_: sa.Float[t.Any]) -> int:
        if isinstance(type_, sa.Double):
            return _DOUBLE

        if isinstance(type_, sa.REAL):
            return self.real_bits

        return type_.precision or self.float_bits or _DOUBLE


def type_on(dialect: sa.Dialect, type_: Type) -> Type:
    """Return what a type is on a database, as types can have variants.

    :param dialect: The dialect of the database.
    :param type_: The type.
    """
    # There's no public way that keeps the precision of drivers' own types.
    variant = type_._variant_mapping.get(dialect.name, type_)

    if isinstance(variant, sa.Interval):
        native = variant.dialect_impl(dialect)

        # It decorates a time where the database has no intervals.
        if not isinstance(native, sa.Interval):
            return native

    if isinstance(variant, TypeDecorator):
        return type_on(dialect, variant.load_dialect_impl(dialect))

    return variant


def _is_same_enum(found: Type, new: Type, default_schema: str | None) -> bool:
    """Return whether only the name of the default schema differs, which databases leave
    out of what they show.
    """
    return (
        isinstance(found, sa.Enum)
        and isinstance(new, sa.Enum)
        and found.name is not None
        and (found.name, found.schema) == (new.name, None)
        and new.schema is not None
        and new.schema == default_schema
    )
