"""The named locks of MySQL and MariaDB, and who holds locks."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

from ..locks import SessionLock

#: The fields of a :class:`.LockHolder`, of a row of the process list.
COLUMNS = (
    "id AS pid, user AS application_name, host AS address,"
    " UTC_TIMESTAMP() - INTERVAL time SECOND AS since, info AS query"
)
#: The session on this database whose transaction has run longest. Needs the privilege
#: PROCESS.
BLOCKER = sa.text(
    f"SELECT {COLUMNS} FROM information_schema.processlist"
    " WHERE db = DATABASE() AND id <> CONNECTION_ID() AND id IN"
    " (SELECT trx_mysql_thread_id FROM information_schema.innodb_trx)"
    " ORDER BY time DESC LIMIT 1"
)


def lock_name(key: str) -> str:
    """Return the name of the lock with a key."""
    return f"async_alembic:{key}"


class NamedLock(SessionLock):
    acquire_statement: t.ClassVar[sa.TextClause] = sa.text("SELECT GET_LOCK(:name, 0)")
    release_statement: t.ClassVar[sa.TextClause] = sa.text("SELECT RELEASE_LOCK(:name)")
    is_held_statement: t.ClassVar[sa.TextClause] = sa.text(
        "SELECT IS_USED_LOCK(:name) = CONNECTION_ID()"
    )
    # Without the privilege PROCESS, the list has the user's own sessions only.
    holder_statement: t.ClassVar[sa.TextClause] = sa.text(
        f"SELECT {COLUMNS.replace('id AS pid', 'l.pid')}"
        " FROM (SELECT IS_USED_LOCK(:name) AS pid) l"
        " LEFT JOIN information_schema.processlist ON id = l.pid"
        " WHERE l.pid IS NOT NULL"
    )

    @property
    def parameters(self) -> dict[str, t.Any]:
        return {"name": lock_name(self.key)}

    def is_held(self) -> bool:
        return bool(self._connection.scalar(self.is_held_statement, self.parameters))
