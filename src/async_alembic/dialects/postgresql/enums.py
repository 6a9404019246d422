"""The types that ``CREATE TYPE ... AS ENUM`` makes
(https://www.postgresql.org/docs/current/datatype-enum.html).
"""

from __future__ import annotations

import collections.abc as c
import typing as t

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from ..enums import EnumKey
from ..enums import FoundEnum
from .named_types import create_missing
from .named_types import created
from .named_types import named_type

if t.TYPE_CHECKING:
    from alembic.ddl.impl import DefaultImpl
    from sqlalchemy.types import TypeEngine

#: The types, their values and the columns that have them. A column that a table
#: inherits goes with that of its parent.
_enums = sa.text(
    "SELECT n.nspname AS schema, t.typname AS name,"
    " array(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid"
    " ORDER BY e.enumsortorder) AS values,"
    " array(SELECT ARRAY[m.nspname::text, r.relname::text, a.attname::text]"
    " FROM pg_attribute a JOIN pg_class r ON r.oid = a.attrelid"
    " JOIN pg_namespace m ON m.oid = r.relnamespace"
    " WHERE a.atttypid IN (t.oid, t.typarray) AND NOT a.attisdropped"
    " AND a.attinhcount = 0 AND r.relkind NOT IN ('i', 'I')) AS users,"
    " EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_type'::regclass"
    " AND d.refobjid IN (t.oid, t.typarray) AND d.deptype = 'n' AND d.classid IN ("
    "'pg_proc'::regclass, 'pg_type'::regclass, 'pg_cast'::regclass,"
    " 'pg_operator'::regclass)) AS is_used_otherwise"
    " FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace"
    " WHERE t.typtype = 'e'"
)

#: The server knows which columns have the type, and their defaults, constraints and
#: indexes. These are read before the type gets another name. A default that the new
#: type does not have goes.
_replace = """\
DO $replace$
DECLARE
    old oid := {type_literal}::regtype;
    list oid := (SELECT typarray FROM pg_type WHERE oid = old);
    steps int[];
    changes text[];
BEGIN
    WITH columns AS (
        SELECT attrelid::regclass AS tab, attname AS col, atttypid = list AS is_list,
            CASE WHEN attgenerated = '' THEN pg_get_expr(adbin, adrelid) END AS def
        FROM pg_attribute JOIN pg_class r ON r.oid = attrelid AND relkind IN ('r', 'p')
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE atttypid IN (old, list) AND NOT attisdropped AND attinhcount = 0
    ), users AS (
        SELECT classid, objid FROM pg_depend
        WHERE refclassid = 'pg_type'::regclass AND refobjid IN (old, list)
    ), constraints AS (
        SELECT k.oid, conrelid::regclass AS tab, conname AS name, conindid
        FROM pg_constraint k WHERE conislocal AND CASE contype
            WHEN 'c' THEN ('pg_constraint'::regclass, k.oid)
                IN (SELECT classid, objid FROM users)
            WHEN 'x' THEN ('pg_class'::regclass, conindid)
                IN (SELECT classid, objid FROM users)
            WHEN 'f' THEN conparentid = 0 AND EXISTS (SELECT FROM pg_attribute
                WHERE atttypid IN (old, list)
                AND (attrelid = conrelid AND attnum = ANY (conkey)
                    OR attrelid = confrelid AND attnum = ANY (confkey)))
            ELSE false END
    ), indexes AS (
        SELECT indexrelid AS oid FROM pg_index
        JOIN pg_class r ON r.oid = indexrelid AND NOT relispartition
        WHERE ('pg_class'::regclass, indexrelid) IN (SELECT classid, objid FROM users)
        AND indexrelid NOT IN (SELECT conindid FROM constraints)
    )
    SELECT array_agg(step ORDER BY step), array_agg(change ORDER BY step)
    INTO steps, changes
    FROM (
        SELECT 1, format('ALTER TABLE %s DROP CONSTRAINT %I', tab, name)
            FROM constraints
        UNION ALL SELECT 1, format('DROP INDEX %s', oid::regclass) FROM indexes
        UNION ALL SELECT 1, format('ALTER TABLE %s ALTER %I DROP DEFAULT', tab, col)
            FROM columns WHERE def IS NOT NULL
        UNION ALL SELECT 2, {rename_literal}
        UNION ALL SELECT 3, {create_literal}
        UNION ALL SELECT 4, format(
            CASE WHEN is_list THEN 'ALTER TABLE %1$s ALTER %2$I TYPE %3$s[]'
                ' USING %2$I::text[]::%3$s[]'
            ELSE 'ALTER TABLE %1$s ALTER %2$I TYPE %3$s USING %2$I::text::%3$s' END,
            tab, col, {type_literal}) FROM columns
        UNION ALL SELECT 5,
            format('ALTER TABLE %s ALTER %I SET DEFAULT %s', tab, col, def)
            FROM columns WHERE def IS NOT NULL
        UNION ALL SELECT 6, format('ALTER TABLE %s ADD CONSTRAINT %I %s', tab, name,
            pg_get_constraintdef(oid)) FROM constraints
        UNION ALL SELECT 6, pg_get_indexdef(oid) FROM indexes
        UNION ALL SELECT 7, {drop_literal}
    ) AS found (step, change);

    FOR i IN 1..cardinality(steps) LOOP
        BEGIN
            EXECUTE changes[i];
        EXCEPTION WHEN invalid_text_representation THEN
            IF steps[i] <> 5 THEN
                RAISE;
            END IF;
        END;
    END LOOP;
END
$replace$"""


class PostgreSQLEnums:
    """See :class:`.Enums`."""

    def find(self, connection: sa.Connection) -> dict[EnumKey, FoundEnum]:
        default = connection.dialect.default_schema_name

        def known(schema: str) -> str | None:
            return None if schema == default else schema

        return {
            (known(row.schema), row.name): FoundEnum(
                tuple(row.values),
                frozenset((known(schema), *rest) for schema, *rest in row.users),
                row.is_used_otherwise,
            )
            for row in connection.execute(_enums)
        }

    def enum_of(
        self, type_: TypeEngine[t.Any] | None, dialect: sa.Dialect
    ) -> sa.Enum | None:
        found = None if type_ is None else named_type(type_, dialect)
        return found if isinstance(found, postgresql.ENUM) else None

    def made(self, values: c.Sequence[str], name: str, schema: str | None) -> sa.Enum:
        return postgresql.ENUM(*values, name=name, schema=schema, create_type=False)

    def source(self, enum: sa.Enum) -> tuple[str, str]:
        arguments = [*map(repr, enum.enums), f"name={str(enum.name)!r}"]

        if enum.schema:
            arguments.append(f"schema={str(enum.schema)!r}")

        # The 'repr' of SQLAlchemy 2.0 leaves out the last one.
        return (
            f"postgresql.ENUM({', '.join(arguments)}, create_type=False)",
            "from sqlalchemy.dialects import postgresql",
        )

    def create(self, impl: DefaultImpl, enum: sa.Enum) -> None:
        impl.execute(postgresql.CreateEnumType(enum))
        created(impl, enum).add((enum.schema, enum.name))

    def create_missing(
        self, impl: DefaultImpl, types: c.Iterable[TypeEngine[t.Any]]
    ) -> None:
        create_missing(impl, types)

    def drop(self, impl: DefaultImpl, enum: sa.Enum) -> None:
        impl.execute(postgresql.DropEnumType(enum))
        created(impl, enum).discard((enum.schema, enum.name))

    def add_value(
        self, enum: sa.Enum, dialect: sa.Dialect, value: str, place: str, other: str
    ) -> sa.TextClause:
        return _text(
            f"ALTER TYPE {_name(enum, dialect)} ADD VALUE IF NOT EXISTS"
            f" {_literal(value)} {place} {_literal(other)}"
        )

    def rename_value(
        self, enum: sa.Enum, dialect: sa.Dialect, value: str, new: str
    ) -> sa.TextClause:
        return _text(
            f"ALTER TYPE {_name(enum, dialect)} RENAME VALUE"
            f" {_literal(value)} TO {_literal(new)}"
        )

    def replace(self, enum: sa.Enum, dialect: sa.Dialect) -> sa.TextClause:
        name = _name(enum, dialect)
        # A name has 63 bytes.
        other = f"{str(enum.name).encode()[:50].decode(errors='ignore')}_replaced"
        replaced = postgresql.ENUM(name=other, schema=enum.schema)
        values = ", ".join(map(_literal, enum.enums))
        quoted = dialect.identifier_preparer.quote(other)
        return _text(
            _replace.format(
                type_literal=_literal(name),
                rename_literal=_literal(f"ALTER TYPE {name} RENAME TO {quoted}"),
                create_literal=_literal(f"CREATE TYPE {name} AS ENUM ({values})"),
                drop_literal=_literal(f"DROP TYPE {_name(replaced, dialect)}"),
            )
        )


def _name(enum: sa.Enum, dialect: sa.Dialect) -> str:
    preparer: t.Any = dialect.identifier_preparer
    name: str = preparer.format_type(enum)
    return name


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _text(sql: str) -> sa.TextClause:
    return sa.text(sql.replace(":", r"\:"))
