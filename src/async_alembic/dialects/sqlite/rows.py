"""Copies the rows of a table into the one that replaces it."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from .changes import Changes
from .conversions import convert
from .driver import pragma
from .new_table import NewTable
from .tokens import fold
from .tokens import quote


def copy_rows(
    connection: sa.Connection,
    name: str,
    changes: Changes,
    new: NewTable,
    into: sa.Table,
) -> None:
    """Copy the rows and their rowids. New columns get their Python-side defaults.

    :param name: The name of the table.
    :param into: The new table in the database, without columns here.
    """
    schema = into.schema
    source = sa.table(name, *map(sa.column, new.copied.values()), schema=schema)
    values: dict[str, t.Any] = {}

    if (rowid := _find_rowid(connection, new, into)) is not None:
        into.append_column(sa.Column(rowid, sa.Integer))
        values[rowid] = sa.literal_column(f"{quote(name)}.{rowid}")

    types = {}

    if changes.converted:
        for found in sa.inspect(connection).get_columns(name, schema):
            types[fold(found["name"])] = found["type"]

    for column, old in new.copied.items():
        into.append_column(sa.Column(column, sa.types.NullType()))
        value: sa.ColumnElement[t.Any] = source.columns[old]

        if (type_ := changes.converted.get(old)) is not None:
            value = convert(value, types[old], type_, connection.dialect)

        values[column] = value

    for added in (new_column.column for new_column in changes.added):
        into.append_column(sa.Column(added.name, added.type, default=added.default))

    rows = sa.select(*values.values()).select_from(source)
    # Otherwise an ON CONFLICT of the table could leave rows out.
    insert = into.insert().prefix_with("OR ABORT").inline()
    connection.execute(insert.from_select([*values], rows))


def _find_rowid(connection: sa.Connection, new: NewTable, into: sa.Table) -> str | None:
    """Find a name of the rowid, if both tables have one that is not a column
    (https://www.sqlite.org/lang_createtable.html#rowid).
    """
    tables = [new.old, new.table]
    names = {name for table in tables for name in table.columns}
    free = [name for name in ("rowid", "oid", "_ROWID_") if fold(name) not in names]
    table = f"{quote(str(into.schema))}.index_list({quote(into.name)})"
    has_index = any(index[3] == "pk" for index in pragma(connection, table))
    # A primary key without an index is the rowid.
    is_column = bool(new.table.of_kind("PRIMARY")) and not has_index

    if is_column or any("WITHOUT ROWID" in table.options for table in tables):
        return None

    return next(iter(free), None)
