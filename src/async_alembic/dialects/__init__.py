"""What a migration needs to know about a database beyond SQLAlchemy and Alembic.

Only this package may name a dialect. It takes open connections, and knows no engine,
event loop, app or revision.
"""

from __future__ import annotations

import typing as t

from .base import Connect as Connect
from .base import Dialect as Dialect
from .base import digest as digest
from .base import Interruption as Interruption
from .base import VERSION_UPDATE as VERSION_UPDATE
from .base import Wait as Wait
from .constraint_names import foreign_key_name as foreign_key_name
from .constraint_names import unique_name as unique_name
from .locks import MigrationLock as MigrationLock
from .migrated import AppliedStatements as AppliedStatements
from .migrated import is_autocommit as is_autocommit
from .migrated import is_usable as is_usable
from .migrated import MigratedConnection as MigratedConnection
from .mysql.dialect import MySQL
from .postgresql.dialect import PostgreSQL
from .refused_logins import is_login_refused as is_login_refused
from .server_defaults import Defaults as Defaults
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


def dialect_of(bind: sa.Connection | sa.Engine) -> Dialect:
    """Return the :class:`Dialect` for the database of a connection or an engine."""
    return _dialects.get(bind.dialect.name, _default)
