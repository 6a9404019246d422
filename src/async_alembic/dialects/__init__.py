"""What a migration must know of a database beyond what SQLAlchemy and Alembic know.

The only place where a dialect's name may stand. Nothing here knows an engine, an event
loop, an app or a revision: it is handed an open connection.
"""

from __future__ import annotations

import typing as t

from .base import Dialect
from .sqlite import SQLite

if t.TYPE_CHECKING:
    import sqlalchemy as sa

_dialects = {"sqlite": SQLite()}
_default = Dialect()


def dialect_of(connection: sa.Connection) -> Dialect:
    """What a migration must know of a connection's database."""
    return _dialects.get(connection.dialect.name, _default)
