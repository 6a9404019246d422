"""Queries of the system catalogs, for what SQLAlchemy's inspector does not return."""

from __future__ import annotations

import typing as t

from ..verbatim import execute_verbatim
from .table_options import table_option_queries

if t.TYPE_CHECKING:
    import sqlalchemy as sa

_USER_SCHEMAS = "n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"
_NOT_IN_EXTENSION = (
    "NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = {oid} AND d.deptype = 'e')"
)
#: By dialect: the query for the name of the database that a connection is in. SQLite's
#: databases are files, which have no name.
CURRENT_DATABASE: dict[str, str] = {
    "mariadb": "SELECT DATABASE()",
    "mysql": "SELECT DATABASE()",
    "postgresql": "SELECT current_database()",
}
#: By dialect: queries for the kind, name and definition of objects.
_object_queries: dict[str, list[str]] = {
    "postgresql": [
        f"SELECT 'schema ' || n.nspname, '' FROM pg_namespace n WHERE {_USER_SCHEMAS}",
        "SELECT 'extension ' || extname, '' FROM pg_extension",
        f"SELECT CASE c.relkind WHEN 'm' THEN 'materialized ' ELSE '' END || 'view '"
        " || c.oid::regclass, pg_get_viewdef(c.oid) FROM pg_class c"
        f" JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_USER_SCHEMAS}"
        f" AND c.relkind IN ('v', 'm') AND {_NOT_IN_EXTENSION.format(oid='c.oid')}",
        f"SELECT 'type ' || y.oid::regtype, coalesce((SELECT string_agg(e.enumlabel,"
        " ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = y.oid),"
        " format_type(y.typbasetype, y.typtypmod)) FROM pg_type y"
        f" JOIN pg_namespace n ON n.oid = y.typnamespace WHERE {_USER_SCHEMAS}"
        f" AND y.typtype IN ('d', 'e') AND {_NOT_IN_EXTENSION.format(oid='y.oid')}",
        f"SELECT 'function ' || p.oid::regprocedure, pg_get_functiondef(p.oid)"
        f" FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        f" WHERE {_USER_SCHEMAS} AND p.prokind IN ('f', 'p')"
        f" AND {_NOT_IN_EXTENSION.format(oid='p.oid')}",
    ],
    "sqlite": [
        "SELECT 'view ' || name, sql FROM sqlite_master WHERE type = 'view'",
    ],
    "mysql": [
        "SELECT CONCAT('view ', table_name),"
        " REPLACE(view_definition, CONCAT('`', DATABASE(), '`.'), '')"
        " FROM information_schema.views WHERE table_schema = DATABASE()",
        "SELECT CONCAT(LOWER(routine_type), ' ', routine_name), routine_definition"
        " FROM information_schema.routines WHERE routine_schema = DATABASE()",
        "SELECT CONCAT('event ', event_name), event_definition"
        " FROM information_schema.events WHERE event_schema = DATABASE()",
    ],
}
_object_queries["mariadb"] = _object_queries["mysql"]


#: For each table, all of its rows in the catalog.
_table_catalog_rows = f"""
SELECT CASE WHEN n.nspname = current_schema() THEN c.relname
    ELSE n.nspname || '.' || c.relname END,
  concat_ws(' ', c.xmin,
    (SELECT string_agg(a::text, ' ' ORDER BY attnum)
      FROM pg_attribute a WHERE a.attrelid = c.oid),
    (SELECT string_agg(d::text, ' ' ORDER BY adnum)
      FROM pg_attrdef d WHERE d.adrelid = c.oid),
    (SELECT string_agg(k::text || k.confrelid::regclass, ' ' ORDER BY k.oid)
      FROM pg_constraint k WHERE k.conrelid = c.oid),
    (SELECT string_agg(i::text || i.indexrelid::regclass, ' ' ORDER BY indexrelid)
      FROM pg_index i WHERE i.indrelid = c.oid),
    (SELECT string_agg(m::text, ' ' ORDER BY objsubid)
      FROM pg_description m WHERE m.objoid = c.oid))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f') AND {_USER_SCHEMAS}
"""


def non_table_objects(connection: sa.Connection) -> dict[str, str]:
    """Return the definitions of views, functions etc. by kind and name."""
    return {
        name: definition or ""
        for query in _object_queries.get(connection.dialect.name, [])
        for name, definition in execute_verbatim(connection, query)
    }


def table_options(connection: sa.Connection) -> list[tuple[str | None, str, str]]:
    """Return the table, the kind and name, and the definition of each object that
    belongs to a table and that the inspector does not return. A sequence may belong to
    none.
    """
    return [
        (table, name, definition)
        for query in table_option_queries(connection)
        for table, name, definition in execute_verbatim(connection, query)
        if definition
    ]


def table_definitions(connection: sa.Connection) -> dict[str, str] | None:
    """Return a text for each table that changes whenever the table changes.

    :return: The texts by table name; ``None`` if the database has no such text.
    """
    match connection.dialect.name:
        case "postgresql":
            rows = connection.exec_driver_sql(_table_catalog_rows)
            return {name: text for name, text in rows}
        case "sqlite":
            rows = connection.exec_driver_sql(
                "SELECT tbl_name, group_concat(coalesce(sql, name), ';') FROM"
                " (SELECT * FROM sqlite_master ORDER BY name)"
                " WHERE type IN ('table', 'index') AND tbl_name NOT LIKE 'sqlite\\_%'"
                " ESCAPE '\\' GROUP BY tbl_name"
            )
            return {name: text for name, text in rows}
        case "mysql" | "mariadb":
            names = connection.exec_driver_sql(
                "SELECT table_name FROM information_schema.tables"
                " WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'"
            ).scalars()
            quote = connection.dialect.identifier_preparer.quote_identifier
            shown = {
                name: execute_verbatim(connection, f"SHOW CREATE TABLE {quote(name)}")
                for name in names.all()
            }
            return {name: result.one()[1] for name, result in shown.items()}
        case _:
            return None


def user_schemas(connection: sa.Connection) -> list[str | None]:
    """Return the schemas that users created; ``None`` is the default schema."""
    if connection.dialect.name != "postgresql":
        return [None]

    rows = connection.exec_driver_sql(
        f"SELECT n.nspname, n.nspname = current_schema() FROM pg_namespace n"
        f" WHERE {_USER_SCHEMAS} ORDER BY 1"
    )
    return [None if is_default else name for name, is_default in rows]
