"""Galera, where any transaction can conflict with one of another node."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    import sqlalchemy as sa


def is_galera(connection: sa.Connection) -> bool:
    """Return whether the server is a node of a Galera cluster."""
    # SQLAlchemy would call the listeners of the migration.
    cursor = connection.connection.cursor()

    try:
        cursor.execute("SHOW VARIABLES LIKE 'wsrep_on'")
        return [tuple(row) for row in cursor.fetchall()] == [("wsrep_on", "ON")]
    finally:
        cursor.close()
