"""What a migration must know of a database beyond what SQLAlchemy and Alembic know.

The only place where a dialect's name may stand. Nothing here knows an engine, an event
loop, an app or a revision: it is handed an open connection.
"""

from __future__ import annotations

import typing as t

from .base import Dialect as Dialect
from .base import digest as digest
from .base import Interruption as Interruption
from .base import VERSION_UPDATE as VERSION_UPDATE
from .constraint_names import foreign_key_name as foreign_key_name
from .constraint_names import unique_name as unique_name
from .locks import SessionLock as SessionLock
from .migrated import AppliedStatements as AppliedStatements
from .migrated import is_usable as is_usable
from .migrated import MigratedConnection as MigratedConnection
from .mysql.dialect import MySQL
from .postgresql.dialect import PostgreSQL
from .sqlite.dialect import SQLite

if t.TYPE_CHECKING:
    import sqlalchemy as sa

_dialects = {
    "mariadb": MySQL(),
    "mysql": MySQL(),
    "postgresql": PostgreSQL(),
    "sqlite": SQLite(),
}
_default = Dialect()


def dialect_of(connection: sa.Connection) -> Dialect:
    """What a migration must know of a connection's database."""
    return _dialects.get(connection.dialect.name, _default)
