"""A schema as texts that can be compared."""

from __future__ import annotations

import collections.abc as c
import typing as t
import warnings

import sqlalchemy as sa
from sqlalchemy.exc import SAWarning

from .servers.objects import other_objects
from .servers.objects import schemas_of

#: What each object is made of, by its kind and name, such as ``column user.name``.
Schema: t.TypeAlias = dict[str, str]


def read_schema(connection: sa.Connection, but: c.Collection[str] = ()) -> Schema:
    """Read what is in a database, but its rows.

    The order of columns is left out, as a column that is dropped and added again is the
    last one.

    :param connection: A connection to it.
    :param but: The names of tables to leave out.
    """
    found: Schema = other_objects(connection)

    with warnings.catch_warnings():
        # Such as that an index has an expression.
        warnings.simplefilter("ignore", SAWarning)
        inspector = sa.inspect(connection)

        for schema in schemas_of(connection):
            for key, objects in _read_tables(inspector, schema).items():
                if key not in but:
                    found |= objects

    return found


def differences(before: Schema, after: Schema) -> list[str]:
    """What there is in one schema only, or made of something else: lines that begin
    with a minus or a plus.
    """
    lines = []

    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            lines += [f"- {name} {before[name]}".rstrip()] if name in before else []
            lines += [f"+ {name} {after[name]}".rstrip()] if name in after else []

    return lines


def _read_tables(inspector: sa.Inspector, schema: str | None) -> dict[str, Schema]:
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
        for (_, table), items in read(schema=schema).items():
            name = table if schema is None else f"{schema}.{table}"
            objects = tables.setdefault(name, {f"table {name}": ""})
            # A check, or a key of SQLite, may have no name.
            for kind, item, text in describe(items):
                objects[f"{kind} {name}.{item}"] = text

    return tables


_Lines: t.TypeAlias = c.Iterator[tuple[str, str, str]]


def _columns(columns: list[dict[str, t.Any]]) -> _Lines:
    for column in columns:
        null = "NULL" if column["nullable"] else "NOT NULL"
        parts = [repr(column["type"]), null]

        for key in "default", "computed", "identity", "comment":
            if column.get(key) is not None:
                parts.append(f"{key} {column[key]}")

        yield "column", column["name"], " ".join(parts)


def _primary_key(key: dict[str, t.Any]) -> _Lines:
    if key["constrained_columns"]:
        yield "primary key", key["name"] or "", _listed(key["constrained_columns"])


def _foreign_keys(keys: list[dict[str, t.Any]]) -> _Lines:
    for key in keys:
        referred = ".".join(
            filter(None, [key["referred_schema"], key["referred_table"]])
        )
        columns = _listed(key["constrained_columns"])
        options = " ".join(f"{k} {v}" for k, v in sorted(key["options"].items()))
        text = f"{columns} to {referred} {_listed(key['referred_columns'])} {options}"
        yield "foreign key", key["name"] or columns, text.rstrip()


def _unique_constraints(constraints: list[dict[str, t.Any]]) -> _Lines:
    for constraint in constraints:
        columns = _listed(constraint["column_names"])
        yield "unique constraint", constraint["name"] or columns, columns


def _check_constraints(constraints: list[dict[str, t.Any]]) -> _Lines:
    for constraint in constraints:
        text = constraint["sqltext"]
        yield "check constraint", constraint["name"] or text, text


def _indexes(indexes: list[dict[str, t.Any]]) -> _Lines:
    for index in indexes:
        columns = index.get("expressions") or index["column_names"]
        options = {
            name: value
            for name, value in sorted(index.get("dialect_options", {}).items())
            if value
        }
        unique = "unique " if index["unique"] else ""
        yield (
            "index",
            index["name"],
            f"{unique}{_listed(columns)} {options or ''}".rstrip(),
        )


def _listed(names: c.Iterable[str | None]) -> str:
    return f"({', '.join(str(name) for name in names)})"
