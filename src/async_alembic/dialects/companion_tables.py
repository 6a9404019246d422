"""The tables that are no part of the app's models: those beside the version table, and
what a batch change of Alembic has left behind.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    import collections.abc as c

    NameFilter: t.TypeAlias = c.Callable[[t.Any, t.Any, t.Any], bool]

#: How Alembic names the new table of a batch change. If that is broken off, it stays.
_BATCH_TABLE = "_alembic_tmp_"


def partial_table(version_table: str) -> str:
    """The table that records a half-applied revision."""
    return f"{version_table}_partial"


def lease_table(version_table: str) -> str:
    """The table of the lock, where the database itself has no lock for it."""
    return f"{version_table}_lease"


def audit_table(version_table: str) -> str:
    """The table of who has run which revision."""
    return f"{version_table}_audit"


def companion_tables(version_table: str) -> set[str]:
    """All tables beside the version table."""
    tables = partial_table, lease_table, audit_table
    return {table(version_table) for table in tables}


def is_left_behind(table: str) -> bool:
    """Return whether a batch change of Alembic has made a table for itself."""
    return table.startswith(_BATCH_TABLE)


def left_out(
    version_table: str,
    is_version_schema: c.Callable[[str | None], bool],
    include_name: NameFilter | None,
) -> NameFilter:
    """Return a filter for Alembic's option ``include_name`` that leaves these tables
    out of comparisons. Alembic itself leaves the version table out.

    :param version_table: The name of the version table.
    :param is_version_schema: Returns whether the version table is in a schema.
    :param include_name: The app's own filter.
    """
    companions = companion_tables(version_table)

    def include(name: t.Any, type_: t.Any, parents: t.Any) -> bool:
        if type_ == "table" and name in companions:
            if is_version_schema(parents["schema_name"]):
                return False

        if type_ == "table" and is_left_behind(name):
            return False

        return include_name is None or include_name(name, type_, parents)

    return include
