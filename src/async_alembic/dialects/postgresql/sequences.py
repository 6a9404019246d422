from __future__ import annotations

import collections.abc as c
import typing as t

import sqlalchemy as sa

from ..schema_objects import Sequence

if t.TYPE_CHECKING:
    from ..schema_objects import Column

#: The sequences that belong to no column, as that of ``SERIAL`` does, and the columns
#: whose defaults use them.
_sequences = sa.text(
    "SELECT n.nspname AS schema, s.relname AS name, q.seqstart AS start,"
    " q.seqincrement AS increment, q.seqmin AS minvalue, q.seqmax AS maxvalue,"
    " q.seqcycle AS cycle, q.seqcache AS cache,"
    " array_agg(ARRAY[m.nspname::text, r.relname::text, a.attname::text]) AS users"
    " FROM pg_sequence q JOIN pg_class s ON s.oid = q.seqrelid"
    " JOIN pg_namespace n ON n.oid = s.relnamespace"
    " JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = s.oid"
    " AND d.classid = 'pg_attrdef'::regclass"
    " JOIN pg_attrdef f ON f.oid = d.objid"
    " JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum"
    " JOIN pg_class r ON r.oid = f.adrelid"
    " JOIN pg_namespace m ON m.oid = r.relnamespace"
    " WHERE NOT EXISTS (SELECT FROM pg_depend o WHERE o.classid = 'pg_class'::regclass"
    " AND o.objid = s.oid AND o.refclassid = 'pg_class'::regclass"
    " AND o.deptype IN ('a', 'i'))"
    " GROUP BY n.nspname, s.relname, q.seqrelid"
    " ORDER BY n.nspname, s.relname"
)
#: Those of ``SERIAL``.
_owned = sa.text(
    "SELECT n.nspname AS schema, s.relname AS name, format_type(q.seqtypid, NULL)"
    " AS type, m.nspname AS table_schema, r.relname AS table, a.attname AS column"
    " FROM pg_sequence q JOIN pg_class s ON s.oid = q.seqrelid"
    " JOIN pg_namespace n ON n.oid = s.relnamespace"
    " JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid"
    " AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'a'"
    " JOIN pg_class r ON r.oid = d.refobjid"
    " JOIN pg_namespace m ON m.oid = r.relnamespace"
    " JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = d.refobjsubid"
    " JOIN pg_attrdef f ON f.adrelid = r.oid AND f.adnum = a.attnum"
    " JOIN pg_depend u ON u.classid = 'pg_attrdef'::regclass AND u.objid = f.oid"
    " AND u.refclassid = 'pg_class'::regclass AND u.refobjid = s.oid"
)
_TYPES: dict[str, type[sa.Integer]] = {
    "bigint": sa.BigInteger,
    "integer": sa.Integer,
    "smallint": sa.SmallInteger,
}


def find(connection: sa.Connection) -> list[Sequence]:
    """See :meth:`.SchemaObjects.sequences`."""
    known = _known(connection)
    return [
        Sequence(
            sa.Sequence(
                row.name,
                schema=known(row.schema),
                start=row.start,
                increment=row.increment,
                minvalue=row.minvalue,
                maxvalue=row.maxvalue,
                cycle=row.cycle or None,
                cache=row.cache if row.cache > 1 else None,
            ),
            frozenset((known(schema), *rest) for schema, *rest in row.users),
        )
        for row in connection.execute(_sequences)
    ]


def find_owned(connection: sa.Connection) -> dict[Column, sa.Sequence]:
    """See :meth:`.SchemaObjects.owned_sequences`."""
    known = _known(connection)
    return {
        (known(row.table_schema), row.table, row.column): sa.Sequence(
            row.name, schema=known(row.schema), data_type=_TYPES[row.type]()
        )
        for row in connection.execute(_owned)
    }


def _known(connection: sa.Connection) -> c.Callable[[str], str | None]:
    default = connection.dialect.default_schema_name
    return lambda schema: None if schema == default else schema
