"""What a migration needs to know about a database beyond SQLAlchemy and Alembic.

Only this package may name a dialect. It takes open connections, and knows no engine,
event loop, app or revision.

At head, only the base class of a dialect and its own class are imported. A dialect
imports what a migration needs when one begins.
"""

from __future__ import annotations

import functools
import sys
import typing as t

from .base import Connect as Connect
from .base import Dialect as Dialect
from .base import Interruption as Interruption
from .base import Place as Place
from .base import VERSION_UPDATE as VERSION_UPDATE
from .base import Wait as Wait
from .locks import digest as digest

if t.TYPE_CHECKING:
    import sqlalchemy as sa


def dialect_of(bind: sa.Connection | sa.Engine) -> Dialect:
    """Return the :class:`Dialect` for the database of a connection or an engine."""
    return dialect_named(bind.dialect.name)


def load_dialects() -> None:
    """Import the dialects of the databases that the app has engines for."""
    for name in "mysql", "postgresql", "sqlite":
        if f"sqlalchemy.dialects.{name}" in sys.modules:
            dialect_named(name)


@functools.cache
def dialect_named(name: str) -> Dialect:
    """Return the :class:`Dialect` for the databases of a dialect of SQLAlchemy."""
    if name in {"mariadb", "mysql"}:
        from .mysql.dialect import MySQL

        return MySQL()

    if name == "postgresql":
        from .postgresql.dialect import PostgreSQL

        return PostgreSQL()

    if name == "sqlite":
        from .sqlite.dialect import SQLite

        return SQLite()

    return Dialect()
