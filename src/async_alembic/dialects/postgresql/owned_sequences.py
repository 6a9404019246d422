"""Reads in one query which columns own sequences, as those of type ``SERIAL`` do.

Alembic leaves their defaults out of comparisons, and sends a query for each of them.
"""

from __future__ import annotations

import contextlib
import re
import typing as t

import sqlalchemy as sa

from ..column_reflection import reflecting_columns

if t.TYPE_CHECKING:
    from alembic.ddl.impl import DefaultImpl

    from ..column_reflection import Reflect

_nextval = re.compile(r"nextval\('(.+)'::regclass\)")
_CACHE_KEY = "async_alembic_owned_sequences"

#: The name of each sequence as it is in defaults, and of the column that owns it.
_owners = sa.text(
    "SELECT c.oid::regclass::text, a.attname"
    " FROM pg_class c"
    " LEFT JOIN pg_depend d ON d.objid = c.oid AND d.refobjsubid > 0"
    " AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass"
    " LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid"
    " WHERE c.relkind = 'S'"
)


def read_at_once(impl: DefaultImpl) -> contextlib.AbstractContextManager[None]:
    """Let comparisons know the owners of all sequences.

    :param impl: Alembic's implementation for PostgreSQL.
    """
    return reflecting_columns(impl, _reflect)


def _reflect(
    reflect: Reflect,
    inspector: sa.Inspector,
    table: sa.Table,
    column: dict[str, t.Any],
) -> None:
    match = _nextval.fullmatch(column.get("default") or "")

    if match is None or match[1] not in (owners := _owners_of(inspector)):
        reflect(inspector, table, column)
        return

    # Without a default, Alembic has nothing to ask.
    default = column.pop("default")
    reflect(inspector, table, column)
    is_serial = isinstance(column["type"], (sa.INTEGER, sa.BIGINT))

    if not is_serial or owners[match[1]] != column["name"]:
        column["default"] = default


def _owners_of(inspector: sa.Inspector) -> dict[str, str | None]:
    owners: dict[str, str | None] | None = inspector.info_cache.get(_CACHE_KEY)

    if owners is None:
        connection = t.cast("sa.Connection", inspector.bind)
        owners = {name: column for name, column in connection.execute(_owners)}
        inspector.info_cache[_CACHE_KEY] = owners

    return owners
