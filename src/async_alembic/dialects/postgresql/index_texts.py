"""Indexes as the server shows them. It writes expressions and conditions in its own
way, so only the server can tell whether an index of a model is the one that is there.
"""

from __future__ import annotations

import contextlib
import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ..text_clauses import escaped
from ..verbatim import execute_ddl_verbatim

if t.TYPE_CHECKING:
    from ..schema_objects import Indexes

#: The temporary table that gets the index of a model.
_TABLE = "async_alembic_indexed"
_shown = sa.text(
    "SELECT i.indisunique, i.indoption::text, i.indcollation::text, i.indclass::text,"
    " pg_get_expr(i.indpred, i.indrelid), ARRAY(SELECT pg_get_indexdef(i.indexrelid,"
    " k, false) FROM generate_series(1, i.indnatts) AS k ORDER BY k)::text"
    " FROM pg_index i WHERE i.indexrelid = to_regclass(CAST(:name AS text))"
)


def is_same(connection: sa.Connection, index: sa.Index, found: sa.Index) -> bool | None:
    """Return whether two indexes of a table have the same expressions, order and
    condition.

    :param connection: A connection to the database.
    :param index: The index of a model.
    :param found: The index of the database.
    :return: ``None`` if the server does not say.
    """
    table = found.table
    assert table is not None and index.table is not None
    prepare = connection.dialect.identifier_preparer
    name = prepare.format_index(found)
    schema = table.schema or connection.dialect.default_schema_name or ""
    no_schema: t.Any = None
    copied = index.table.to_metadata(sa.MetaData(), schema=no_schema, name=_TABLE)
    copy = next(item for item in copied.indexes if item.name == index.name)
    # Inside of a transaction, it can't be built so.
    copy.dialect_options["postgresql"]["concurrently"] = False

    with contextlib.suppress(DBAPIError), connection.begin_nested() as savepoint:
        connection.exec_driver_sql(
            f"CREATE TEMPORARY TABLE {_TABLE} (LIKE {prepare.format_table(table)})"
        )
        execute_ddl_verbatim(connection, sa.schema.CreateIndex(copy))
        made, shown = (
            connection.execute(_shown, {"name": f"{where}.{name}"}).first()
            for where in ("pg_temp", prepare.quote_schema(schema))
        )
        savepoint.rollback()
        return None if made is None or shown is None else made == shown

    return None


def escape_conditions(indexes: Indexes) -> None:
    """Escape conditions for revisions, which have them as they were read.

    :param indexes: What was read, by schema and table.
    """
    for infos in indexes.values():
        for info in infos:
            options = info.get("dialect_options", {})

            if where := options.get("postgresql_where"):
                options["postgresql_where"] = escaped(where)
