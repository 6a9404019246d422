"""Compares the types of enums, where they are types of their own: creates one before a
column needs it, changes its values, and drops it with the last column that has it.

Registers an Alembic plugin. Before Alembic 1.18, which added plugins, it is one more
comparison of schemas.
"""

from __future__ import annotations

import collections.abc as c
import dataclasses
import sys
import typing as t

import sqlalchemy as sa
from alembic.operations import ops

from ..dialects import dialect_of
from ..dialects.translated_schemas import schemas_of
from .changed_columns import altered_columns
from .changed_columns import key_of
from .changed_columns import new_columns
from .changed_columns import removed_columns
from .comparison import comparison_of
from .enum_operations import AlterEnumOp
from .enum_operations import CreateEnumOp
from .enum_operations import DropEnumOp
from .plugins import Comparison

if t.TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy.types import TypeEngine

    from ..dialects.enums import EnumKey
    from ..dialects.enums import Enums
    from ..dialects.enums import FoundEnum
    from .changed_columns import ColumnKey

    Type: t.TypeAlias = TypeEngine[t.Any]

comparison: Comparison = Comparison("enums", helps="types")

#: A package that does the same once an app has imported it.
_OTHER = "alembic_postgresql_enum"


def enums_of(context: MigrationContext) -> Enums | None:
    """Return how enums are compared; ``None`` where there are no such types, or another
    package compares them.
    """
    if _OTHER in sys.modules or context.connection is None:
        return None

    return dialect_of(context.connection).schema_objects.enums


def _compare(
    autogen_context: AutogenContext, upgrade_ops: ops.UpgradeOps, *args: object
) -> t.Any:
    connection = autogen_context.connection
    enums = enums_of(autogen_context.migration_context)
    assert connection is not None

    if enums is None:
        return

    comparer = _Comparer(autogen_context, enums)
    wanted = comparer.wanted()
    removed = {*removed_columns(upgrade_ops)} | {
        key_of(op) for op in altered_columns(upgrade_ops) if op.modify_type is not None
    }

    if wanted or removed:
        found = enums.find(connection)
        upgrade_ops.ops[:0] = [
            *comparer.created(found, upgrade_ops),
            *comparer.altered(found),
        ]
        upgrade_ops.ops += _dropped(found, wanted, removed)


@dataclasses.dataclass(frozen=True)
class _Comparer:
    autogen_context: AutogenContext
    enums: Enums

    def wanted(self) -> dict[EnumKey, sa.Enum]:
        """Return the types that models need."""
        return self._by_key(
            column.type
            for table in self.autogen_context.sorted_tables
            for column in table.columns
        )

    def created(
        self, found: c.Container[EnumKey], upgrade_ops: ops.UpgradeOps
    ) -> c.Iterator[CreateEnumOp]:
        """Yield operations for types that new columns need."""
        needed = self._by_key(_new_types(upgrade_ops))

        for key, enum in sorted(needed.items(), key=_name_of):
            if key not in found:
                yield CreateEnumOp(str(enum.name), enum.enums, schema=enum.schema)

    def altered(self, found: dict[EnumKey, FoundEnum]) -> c.Iterator[AlterEnumOp]:
        """Yield operations for types with other values."""
        compared = self._by_key(
            column.type
            for table in self.autogen_context.sorted_tables
            if self._is_compared(table)
            for column in table.columns
        )

        for key, enum in sorted(compared.items(), key=_name_of):
            if key in found and found[key].values != tuple(enum.enums):
                was = found[key].values
                yield AlterEnumOp(
                    str(enum.name), enum.enums, was=was, schema=enum.schema
                )

    def _by_key(self, types: c.Iterable[Type]) -> dict[EnumKey, sa.Enum]:
        assert self.autogen_context.connection is not None
        connection = self.autogen_context.connection
        schemas = schemas_of(connection)
        default = connection.dialect.default_schema_name
        enums: dict[EnumKey, sa.Enum] = {}

        for type_ in types:
            if enum := self.enums.enum_of(type_, connection.dialect):
                schema = schemas.get(enum.schema, enum.schema)
                enums[None if schema == default else schema, str(enum.name)] = enum

        return enums

    def _is_compared(self, table: sa.Table) -> bool:
        comparison = comparison_of(self.autogen_context.migration_context)
        return (
            comparison is not None and comparison.is_unchanged(table)
        ) or self.autogen_context.run_object_filters(
            table, table.name, "table", False, None
        )


def _dropped(
    found: dict[EnumKey, FoundEnum],
    wanted: c.Container[EnumKey],
    removed: set[ColumnKey],
) -> c.Iterator[DropEnumOp]:
    """Yield operations for types whose last column is removed."""
    for key, enum in sorted(found.items(), key=_name_of):
        is_last = enum.users and enum.users <= removed and not enum.is_used_otherwise

        if is_last and key not in wanted:
            schema, name = key
            yield DropEnumOp(name, enum.values, schema=schema)


def _new_types(upgrade_ops: ops.UpgradeOps) -> c.Iterator[Type]:
    yield from (column.type for column in new_columns(upgrade_ops))

    for op in altered_columns(upgrade_ops):
        if op.modify_type is not None:
            yield sa.types.to_instance(op.modify_type)


def _name_of(item: tuple[EnumKey, object]) -> tuple[str, str]:
    (schema, name), _ = item
    return schema or "", name


comparison.add(_compare, "schema", priority="LAST")
