"""Queries for what SQLAlchemy's inspector does not return about tables.

Each returns the table, the kind and name of an object, and its definition. What has the
default is left out.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    import sqlalchemy as sa

_TABLE = (
    "CASE WHEN n.nspname = current_schema() THEN c.relname::text"
    " ELSE n.nspname || '.' || c.relname END"
)
_TABLES = (
    "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"
    " AND c.relkind IN ('r', 'p', 'f', 'v', 'm')"
)
_queries: dict[str, list[str]] = {
    "postgresql": [
        f"""
SELECT {_TABLE}, 'options of ' || c.oid::regclass, concat_ws(', ',
    CASE WHEN c.relpersistence = 'u' THEN 'UNLOGGED' END,
    CASE WHEN c.relrowsecurity THEN 'ROW LEVEL SECURITY' END,
    CASE WHEN c.relforcerowsecurity THEN 'FORCE ROW LEVEL SECURITY' END,
    CASE c.relreplident WHEN 'f' THEN 'REPLICA IDENTITY FULL'
      WHEN 'n' THEN CASE WHEN c.relkind IN ('r', 'p')
        THEN 'REPLICA IDENTITY NOTHING' END
      WHEN 'i' THEN 'REPLICA IDENTITY USING INDEX ' || (SELECT i.indexrelid::regclass
        FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident) END,
    'WITH ' || c.reloptions::text,
    'TABLESPACE ' || (SELECT spcname FROM pg_tablespace WHERE oid = c.reltablespace),
    'INHERITS ' || (SELECT string_agg(inhparent::regclass::text, ', '
      ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = c.oid),
    'PARTITION ' || pg_get_expr(c.relpartbound, c.oid),
    CASE WHEN c.relkind = 'p' THEN 'PARTITION BY ' || pg_get_partkeydef(c.oid) END,
    'COMMENT ' || obj_description(c.oid, 'pg_class'))
FROM {_TABLES}""",
        # The text says what is not valid, not enforced, deferrable, or for a period.
        f"SELECT {_TABLE}, 'constraint ' || k.conname || ' on ' || c.oid::regclass,"
        f" pg_get_constraintdef(k.oid) FROM {_TABLES}"
        " JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype <> 't'",
        f"SELECT {_TABLE}, 'options of column ' || c.oid::regclass || '.' || a.attname,"
        " concat_ws(', ', CASE WHEN a.attstorage <> y.typstorage"
        " THEN 'STORAGE ' || a.attstorage::text END,"
        # PostgreSQL 13 has no compression.
        " 'COMPRESSION ' || nullif(to_jsonb(a) ->> 'attcompression', ''),"
        " 'STATISTICS ' || nullif(a.attstattarget, -1), a.attoptions::text)"
        f" FROM {_TABLES} JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
        " AND NOT a.attisdropped JOIN pg_type y ON y.oid = a.atttypid",
        f"SELECT {_TABLE}, 'statistics ' || s.stxname, pg_get_statisticsobjdef(s.oid)"
        f" FROM {_TABLES} JOIN pg_statistic_ext s ON s.stxrelid = c.oid",
        f"SELECT {_TABLE}, 'rule ' || r.rulename || ' on ' || c.oid::regclass,"
        f" r.ev_enabled::text || ' ' || pg_get_ruledef(r.oid) FROM {_TABLES}"
        " JOIN pg_rewrite r ON r.ev_class = c.oid AND r.rulename <> '_RETURN'",
        f"SELECT {_TABLE}, 'trigger ' || g.tgname || ' on ' || c.oid::regclass,"
        f" pg_get_triggerdef(g.oid) FROM {_TABLES}"
        " JOIN pg_trigger g ON g.tgrelid = c.oid AND NOT g.tgisinternal",
        f"SELECT {_TABLE}, 'state of trigger ' || g.tgname || ' on '"
        " || c.oid::regclass,"
        f" CASE WHEN g.tgenabled <> 'O' THEN g.tgenabled::text END FROM {_TABLES}"
        " JOIN pg_trigger g ON g.tgrelid = c.oid AND NOT g.tgisinternal",
        f"SELECT {_TABLE}, 'index ' || i.indexrelid::regclass,"
        f" pg_get_indexdef(i.indexrelid) FROM {_TABLES}"
        " JOIN pg_index i ON i.indrelid = c.oid AND c.relkind = 'm'",
        f"SELECT {_TABLE}, 'policy ' || p.policyname || ' on ' || c.oid::regclass,"
        " concat_ws(' ', p.permissive, p.roles, p.cmd, p.qual, p.with_check)"
        f" FROM {_TABLES} JOIN pg_policies p"
        " ON p.schemaname = n.nspname AND p.tablename = c.relname",
        f"""
SELECT {_TABLE}, 'sequence ' || q.oid::regclass, concat_ws(' ', s.seqtypid::regtype,
    s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcycle,
    'OWNED BY ' || c.oid::regclass || '.' || a.attname)
FROM pg_sequence s JOIN pg_class q ON q.oid = s.seqrelid
  JOIN pg_namespace m ON m.oid = q.relnamespace
    AND m.nspname <> 'information_schema' AND m.nspname !~ '^pg_'
  LEFT JOIN pg_depend d ON d.objid = q.oid AND d.deptype IN ('a', 'i')
    AND d.refclassid = 'pg_class'::regclass
  LEFT JOIN pg_class c ON c.oid = d.refobjid
  LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.objid = q.oid AND e.deptype = 'e')
""",
    ],
    "mysql": [
        "SELECT table_name, CONCAT('options of ', table_name), CONCAT_WS(', ',"
        " NULLIF(table_type, 'BASE TABLE'), engine, row_format,"
        " NULLIF(create_options, ''), table_collation,"
        " CONCAT('COMMENT ', NULLIF(table_comment, '')))"
        " FROM information_schema.tables"
        " WHERE table_schema = DATABASE() AND table_type <> 'VIEW'",
        "SELECT table_name, CONCAT('options of column ', table_name, '.', column_name),"
        " CONCAT_WS(', ', collation_name, NULLIF(extra, ''))"
        " FROM information_schema.columns WHERE table_schema = DATABASE()",
        "SELECT event_object_table, CONCAT('trigger ', trigger_name), CONCAT_WS(' ',"
        " action_timing, event_manipulation, event_object_table, action_statement)"
        " FROM information_schema.triggers WHERE trigger_schema = DATABASE()",
    ],
    "sqlite": [
        "SELECT tbl_name, 'trigger ' || name, sql FROM sqlite_master"
        " WHERE type = 'trigger'",
        # The inspector leaves out indexes of expressions.
        "SELECT tbl_name, 'index ' || name, sql FROM sqlite_master WHERE type = 'index'"
        " AND EXISTS (SELECT 1 FROM pragma_index_info(sqlite_master.name) c"
        " WHERE c.name IS NULL)",
        "SELECT name, 'options of ' || name, CASE WHEN wr THEN 'WITHOUT ROWID ' ELSE ''"
        " END || CASE WHEN strict THEN 'STRICT' ELSE '' END"
        " FROM pragma_table_list WHERE schema = 'main' AND type = 'table'",
    ],
}
_queries["mariadb"] = _queries["mysql"]


def table_option_queries(connection: sa.Connection) -> list[str]:
    """Return the queries for a database."""
    dialect: t.Any = connection.dialect

    if dialect.name == "sqlite" and dialect.dbapi.sqlite_version_info < (3, 37):
        # It has no pragma_table_list.
        return _queries["sqlite"][:-1]

    return _queries.get(dialect.name, [])
