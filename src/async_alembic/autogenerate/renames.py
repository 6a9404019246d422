"""Compares tables and columns under their new names.

Alembic drops what was renamed, and creates another. Here, what it reads of the database
already has the new names. So it finds what else differs, such as the names of indexes,
and the renaming comes before that.
"""

from __future__ import annotations

import collections.abc as c
import dataclasses
import functools
import inspect
import typing as t

import sqlalchemy as sa
from sqlalchemy import event

from ..errors import RevisionError
from .rename_operations import Renamed
from .rename_operations import RenamedColumnOp
from .rename_operations import RenamedTableOp
from .unknown_tables import full_name

if t.TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

    from .unknown_tables import TableKey

    Info: t.TypeAlias = dict[str, t.Any]

#: What has the names of columns, in what SQLAlchemy reads.
_COLUMN_LISTS = "constrained_columns", "column_names", "include_columns", "expressions"


@dataclasses.dataclass
class Renames:
    """What was renamed in one database.

    :param arguments: What the user says, as ``"old:new"`` or ``"table.old:new"``.
    :ivar tables: The new name of each renamed table.
    :ivar columns: The new names of columns, by the new name of their table.
    :ivar operations: What renames them, tables first.
    :ivar found: The arguments that are about this database.
    """

    arguments: c.Collection[str] = ()
    tables: dict[TableKey, TableKey] = dataclasses.field(default_factory=dict)
    columns: dict[TableKey, dict[str, str]] = dataclasses.field(default_factory=dict)
    operations: list[Renamed] = dataclasses.field(default_factory=list)
    found: set[str] = dataclasses.field(default_factory=set)

    def read(
        self, autogen_context: AutogenContext, schemas: c.Iterable[str | None]
    ) -> None:
        """Look for what is named, and let Alembic see the new names.

        :param autogen_context: Alembic's context of the comparison.
        :param schemas: The schemas that are compared.
        """
        if not self.arguments:
            return

        inspector = autogen_context.inspector
        tables = {
            full_name((schema, name)): (schema, name)
            for schema in schemas
            for name in inspector.get_table_names(schema)
        }
        models = {
            (_own_schema(autogen_context, table), table.name): table
            for table in autogen_context.sorted_tables
        }
        pairs = [argument.split(":") for argument in self.arguments]

        for old, new in pairs:
            if old in tables:
                self._rename_table(tables[old], new, tables, models)
                self.found.add(f"{old}:{new}")

        tables |= {full_name(self.tables[key]): key for key in self.tables}

        for old, new in pairs:
            table, _, column = old.rpartition(".")

            if old not in tables and table in tables:
                reflected = _reflected(autogen_context, tables[table])

                if self._rename_column(reflected, tables[table], column, new, models):
                    self.found.add(f"{old}:{new}")

        inspector.dialect = t.cast("t.Any", _Dialect(inspector.dialect, self))

    def names_before(self, table: TableKey, column: str) -> tuple[str, str]:
        """Return the names that a table and its column have in the database.

        :param table: The new name of the table.
        :param column: The new name of the column.
        """
        tables = {new: old for old, new in self.tables.items()}
        columns = {new: old for old, new in self.columns.get(table, {}).items()}
        return tables.get(table, table)[1], columns.get(column, column)

    def _rename_table(
        self,
        old: TableKey,
        new: str,
        tables: c.Container[str],
        models: c.Container[TableKey],
    ) -> None:
        renamed = old[0], new

        if renamed not in models:
            raise RevisionError(
                f"No model has the table '{full_name(renamed)}', so '{full_name(old)}'"
                " cannot be renamed to it."
            )

        if full_name(renamed) in tables:
            raise RevisionError(
                f"The database has the table '{full_name(renamed)}' already, so"
                f" '{full_name(old)}' cannot be renamed to it."
            )

        self.tables[old] = renamed
        self.operations.append(RenamedTableOp(old, new))

    def _rename_column(
        self,
        reflected: sa.Table,
        table: TableKey,
        old: str,
        new: str,
        models: c.Mapping[TableKey, sa.Table],
    ) -> bool:
        renamed = self.tables.get(table, table)
        column, name = reflected.columns.get(old), full_name(renamed)

        if column is None:
            return False

        if renamed not in models or new not in models[renamed].columns:
            raise RevisionError(
                f"No model has the column '{name}.{new}', so '{name}.{old}' cannot be"
                " renamed to it."
            )

        if new in reflected.columns or column.computed is not None:
            why = "is computed" if column.computed is not None else "is there already"
            raise RevisionError(
                f"'{name}.{old}' cannot be renamed to '{new}', as one of them {why}."
            )

        self.columns.setdefault(renamed, {})[old] = new
        self.operations.append(RenamedColumnOp(renamed, old, new, column))
        return True


def _reflected(autogen_context: AutogenContext, key: TableKey) -> sa.Table:
    """Return a table of the database, with the types that comparisons see."""
    table = sa.Table(key[1], sa.MetaData(), schema=key[0])
    impl: t.Any = autogen_context.migration_context.impl

    def set_type(inspector: sa.Inspector, table: sa.Table, info: t.Any) -> None:
        shown = {**info}
        impl.autogen_column_reflect(inspector, table, shown)
        info["type"] = shown["type"]

    event.listen(table, "column_reflect", set_type)
    autogen_context.inspector.reflect_table(table, None, resolve_fks=False)
    return table


def _own_schema(autogen_context: AutogenContext, table: sa.Table) -> str | None:
    connection = autogen_context.connection
    assert connection is not None
    is_default = table.schema == connection.dialect.default_schema_name
    return None if is_default else table.schema


class _Dialect:
    """A dialect for reflection. Everything else is that of the real one.

    :param dialect: The real one.
    :param renames: What was renamed.
    """

    def __init__(self, dialect: sa.Dialect, renames: Renames) -> None:
        self._dialect = dialect
        self._renames = renames
        self._old = {new: old for old, new in renames.tables.items()}

    def __getattr__(self, name: str) -> t.Any:
        value = getattr(self._dialect, name)

        if not name.startswith("get_") or not callable(value):
            return value

        if name == "get_table_names":
            return functools.partial(self._get_names, value)

        if name.startswith("get_multi_"):
            return functools.partial(self._get_multi, value)

        if "table_name" in inspect.signature(value).parameters:
            return functools.partial(self._get_one, value)

        return value

    def _get_names(
        self, method: t.Any, connection: t.Any, schema: str | None = None, **kw: t.Any
    ) -> list[str]:
        names: list[str] = method(connection, schema, **kw)
        return [self._new((schema, name))[1] for name in names]

    def _get_multi(
        self,
        method: t.Any,
        connection: t.Any,
        *,
        schema: str | None = None,
        filter_names: c.Iterable[str] | None = None,
        **kw: t.Any,
    ) -> t.Any:
        if filter_names is not None:
            filter_names = [self._real((schema, name))[1] for name in filter_names]

        found = method(connection, schema=schema, filter_names=filter_names, **kw)
        return [
            (self._new(table), self._renamed(data, self._new(table)))
            for table, data in found
        ]

    def _get_one(
        self,
        method: t.Any,
        connection: t.Any,
        table_name: str,
        schema: str | None = None,
        **kw: t.Any,
    ) -> t.Any:
        table = schema, table_name
        data = method(connection, self._real(table)[1], schema, **kw)
        return self._renamed(data, table)

    def _new(self, table: TableKey) -> TableKey:
        return self._renames.tables.get(table, table)

    def _real(self, table: TableKey) -> TableKey:
        return self._old.get(table, table)

    def _renamed(self, data: t.Any, table: TableKey) -> t.Any:
        """Return what was read of a table, with the new names. It is cached, so it is
        copied.
        """
        if isinstance(data, list):
            return [self._renamed(item, table) for item in data]

        if not isinstance(data, dict):
            return data

        info, names = {**data}, self._renames.columns.get(table, {})

        if "type" in info and info["name"] in names:
            info["name"] = names[info["name"]]

            # Alembic leaves out the default of a SERIAL, and knows it by the old name.
            if info.get("autoincrement") is True:
                info["default"] = None

        for key in _COLUMN_LISTS:
            if key in info:
                info[key] = _mapped(info[key], names)

        if "column_sorting" in info:
            sorting = info["column_sorting"].items()
            info["column_sorting"] = {names.get(key, key): how for key, how in sorting}

        if "dialect_options" in info:
            options = info["dialect_options"].items()
            info["dialect_options"] = {
                key: _mapped(value, names) if key.endswith("_include") else value
                for key, value in options
            }

        if "referred_table" in info:
            referent = self._new((info["referred_schema"], info["referred_table"]))
            info["referred_table"] = referent[1]
            names = self._renames.columns.get(referent, {})
            info["referred_columns"] = _mapped(info["referred_columns"], names)

        return info


def _mapped(names: t.Any, new: c.Mapping[str, str]) -> t.Any:
    return [new.get(name, name) for name in names or ()]
