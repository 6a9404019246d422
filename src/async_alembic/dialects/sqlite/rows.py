"""The rows of a table, copied into the one that takes its place."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from .driver import pragma
from .new_table import NewTable
from .reflection import reflect_columns
from .tokens import fold
from .tokens import quote

if t.TYPE_CHECKING:
    from alembic.operations.batch import BatchOperationsImpl


def copy_rows(
    connection: sa.Connection,
    batch: BatchOperationsImpl,
    schema: str,
    name: str,
    new: NewTable,
) -> None:
    """Copy the rows, also with the ids that no column names. New columns get the
    defaults that they have in Python.

    :param schema: The database of both tables.
    :param name: The name of the new table, which is there.
    :param new: What the new table is.
    """
    changes = new.changes
    old_name = new.old.name.name or ""
    source = sa.table(old_name, *map(sa.column, new.copied.values()), schema=schema)
    into = sa.Table(name, sa.MetaData(), schema=schema)
    values: dict[str, t.Any] = {}

    if (rowid := _find_rowid(connection, schema, name, new)) is not None:
        into.append_column(sa.Column(rowid, sa.Integer))
        values[rowid] = sa.literal_column(f"{quote(old_name)}.{rowid}")

    types = {
        fold(column["name"]): column["type"]
        for column in (reflect_columns(connection, batch) if changes.converted else ())
    }

    for column, old in new.copied.items():
        into.append_column(sa.Column(column, sa.types.NullType()))
        # Alembic decides, and has put a CAST there then.
        value: dict[str, t.Any] = {"expr": source.columns[old]}

        if (type_ := changes.converted.get(old)) is not None:
            before = sa.Column(old, changes.given_types.get(old, types[old]))
            after = sa.types.to_instance(type_)
            batch.impl.cast_for_batch_migrate(before, value, after)

        values[column] = value["expr"]

    for added in (found.column for found in changes.added):
        into.append_column(sa.Column(added.name, added.type, default=added.default))

    rows = sa.select(*values.values()).select_from(source)
    connection.execute(into.insert().inline().from_select([*values], rows))


def _find_rowid(
    connection: sa.Connection, schema: str, name: str, new: NewTable
) -> str | None:
    """Find a name for the id of a row, if both tables have one that no column is.

    (https://www.sqlite.org/lang_createtable.html#rowid)
    """
    used = new.old.columns.keys() | new.table.columns.keys()
    free = next(
        (name for name in ("rowid", "oid", "_rowid_") if name not in used), None
    )
    has_ids = not any("WITHOUT ROWID" in x.options for x in (new.old, new.table))
    indexes = pragma(connection, f"{quote(schema)}.index_list({quote(name)})")
    # Such a primary key is the only one without an index.
    is_alias = bool(new.table.of_kind("PRIMARY")) and "pk" not in {
        index[3] for index in indexes
    }
    return free if has_ids and not is_alias else None
