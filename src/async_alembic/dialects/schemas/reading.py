"""Reading and comparing database schemas."""

from __future__ import annotations

import collections.abc as c
import typing as t
import warnings

import sqlalchemy as sa
from sqlalchemy.exc import SAWarning

from .catalog import non_table_objects
from .catalog import table_definitions
from .catalog import table_options
from .catalog import user_schemas

#: The definition of each object, by kind and name, such as ``column user.name``.
Schema: t.TypeAlias = dict[str, str]


class SchemaReader:
    """Reads the schema of a database repeatedly.

    A history can have a thousand revisions. If the server can return the definition of
    a table as text, a table is reflected again only if its definition has changed.

    The order of columns is ignored, as a column that is dropped and added again becomes
    the last one.

    :param exclude_tables: The names of tables to ignore.
    """

    def __init__(self, exclude_tables: c.Collection[str] = ()) -> None:
        self._exclude_tables = exclude_tables
        self._cache: dict[tuple[str, str], Schema] = {}

    def read(self, connection: sa.Connection) -> Schema:
        """Return the schema.

        :param connection: A connection to the database.
        """
        objects: Schema = non_table_objects(connection)

        for table, name, text in table_options(connection):
            if table not in self._exclude_tables:
                objects[name] = text

        definitions = table_definitions(connection)

        with warnings.catch_warnings():
            # For example, that an index has an expression.
            warnings.simplefilter("ignore", SAWarning)

            if definitions is None:
                tables = self._reflect(connection, None)
            else:
                tables = self._reflect_changed(connection, definitions)

        for name, table_objects in tables.items():
            if name not in self._exclude_tables:
                objects |= table_objects

        return objects

    def _reflect_changed(
        self, connection: sa.Connection, definitions: dict[str, str]
    ) -> dict[str, Schema]:
        changed = [item for item in definitions.items() if item not in self._cache]

        if changed:
            names = [name.rpartition(".")[2] for name, _ in changed]
            reflected = self._reflect(connection, names)
            self._cache |= {item: reflected[item[0]] for item in changed}

        return {item[0]: self._cache[item] for item in definitions.items()}

    def _reflect(
        self, connection: sa.Connection, names: list[str] | None
    ) -> dict[str, Schema]:
        inspector = sa.inspect(connection)
        tables: dict[str, Schema] = {}

        for schema in user_schemas(connection):
            tables |= _read_tables(inspector, schema, names)

        return tables


def differences(before: Schema, after: Schema) -> list[str]:
    """Return the objects that differ, as lines that begin with a minus or a plus."""
    lines = []

    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            lines += [f"- {name} {before[name]}".rstrip()] if name in before else []
            lines += [f"+ {name} {after[name]}".rstrip()] if name in after else []

    return lines


def _read_tables(
    inspector: sa.Inspector, schema: str | None, names: list[str] | None
) -> dict[str, Schema]:
    tables: dict[str, Schema] = {}
    readers: list[tuple[c.Callable[..., t.Any], t.Any]] = [
        (inspector.get_multi_columns, _columns),
        (inspector.get_multi_pk_constraint, _primary_key),
        (inspector.get_multi_foreign_keys, _foreign_keys),
        (inspector.get_multi_unique_constraints, _unique_constraints),
        (inspector.get_multi_check_constraints, _check_constraints),
        (inspector.get_multi_indexes, _indexes),
    ]

    for read, describe in readers:
        for (_, table), items in read(schema=schema, filter_names=names).items():
            name = table if schema is None else f"{schema}.{table}"
            objects = tables.setdefault(name, {f"table {name}": ""})
            # A check constraint, or a key on SQLite, may have no name.
            for kind, item, text in describe(items):
                objects[f"{kind} {name}.{item}"] = text

    return tables


_Objects: t.TypeAlias = c.Iterator[tuple[str, str, str]]


def _columns(columns: list[dict[str, t.Any]]) -> _Objects:
    for column in columns:
        null = "NULL" if column["nullable"] else "NOT NULL"
        parts = [repr(column["type"]), null]

        for key in "default", "computed", "identity", "comment":
            if column.get(key) is not None:
                parts.append(f"{key} {column[key]}")

        yield "column", column["name"], " ".join(parts)


def _primary_key(key: dict[str, t.Any]) -> _Objects:
    if key["constrained_columns"]:
        yield "primary key", key["name"] or "", _listed(key["constrained_columns"])


def _foreign_keys(keys: list[dict[str, t.Any]]) -> _Objects:
    for key in keys:
        referred = ".".join(
            filter(None, [key["referred_schema"], key["referred_table"]])
        )
        columns = _listed(key["constrained_columns"])
        options = " ".join(f"{k} {v}" for k, v in sorted(key["options"].items()))
        text = f"{columns} to {referred} {_listed(key['referred_columns'])} {options}"
        yield "foreign key", key["name"] or columns, text.rstrip()


def _unique_constraints(constraints: list[dict[str, t.Any]]) -> _Objects:
    for constraint in constraints:
        columns = _listed(constraint["column_names"])
        yield "unique constraint", constraint["name"] or columns, columns


def _check_constraints(constraints: list[dict[str, t.Any]]) -> _Objects:
    for constraint in constraints:
        text = constraint["sqltext"]
        yield "check constraint", constraint["name"] or text, text


def _indexes(indexes: list[dict[str, t.Any]]) -> _Objects:
    for index in indexes:
        columns = index.get("expressions") or index["column_names"]
        options = {
            name: value
            for name, value in sorted(index.get("dialect_options", {}).items())
            if value
        }

        if sorting := index.get("column_sorting"):
            options["sorting"] = sorting

        unique = "unique " if index["unique"] else ""
        yield (
            "index",
            index["name"],
            f"{unique}{_listed(columns)} {options or ''}".rstrip(),
        )


def _listed(names: c.Iterable[str | None]) -> str:
    return f"({', '.join(str(name) for name in names)})"
