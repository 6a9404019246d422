"""Everything that is in a database, as what can be compared."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

Snapshot = dict[str, Any]


def snapshot(connection: sa.Connection) -> Snapshot:
    """Everything that is in a database, but for times of day."""
    inspector = sa.inspect(connection)
    found: Snapshot = {"views": sorted(inspector.get_view_names())}

    if connection.dialect.name == "postgresql":
        found["enums"] = plain(inspector.get_enums())  # type: ignore[attr-defined]

    for name in inspector.get_table_names():
        table = sa.Table(name, sa.MetaData(), autoload_with=connection)
        kept = [c for c in table.c if not isinstance(c.type, sa.DateTime)]
        found[name] = {
            "columns": plain(inspector.get_columns(name)),
            "primary key": plain(inspector.get_pk_constraint(name)),
            "foreign keys": plain(inspector.get_foreign_keys(name)),
            "unique": plain(inspector.get_unique_constraints(name)),
            "indexes": plain(inspector.get_indexes(name)),
            "checks": plain(inspector.get_check_constraints(name)),
            "rows": sorted(map(repr, connection.execute(sa.select(*kept)))),
        }

    return found


def plain(value: Any) -> Any:
    """Reflected details as what can be compared: text, and in any order."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}

    if isinstance(value, list):
        return sorted((plain(inner) for inner in value), key=repr)

    return str(value)
