"""Advisory locks, which are local to a database
(https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS).
"""

from __future__ import annotations

import contextlib
import typing as t

import sqlalchemy as sa

from ...results import LockHolder
from ..base import Connect
from ..locks import digest
from ..locks import SessionLock
from .pooled_sessions import is_pooled

_key = sa.bindparam("key", type_=sa.BigInteger)
_guard = sa.bindparam("guard", type_=sa.BigInteger)
#: The view shows a 64-bit key as two 32-bit numbers
#: (https://www.postgresql.org/docs/current/view-pg-locks.html).
_locks = (
    "pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
    " AND l.classid::bigint = (CAST(:{name} AS bigint) >> 32) & 4294967295"
    " AND l.objid::bigint = CAST(:{name} AS bigint) & 4294967295"
    " AND l.database ="
    " (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_key_locks = _locks.format(name="key")
_guard_locks = _locks.format(name="guard")
#: False while the revision of a pooled session is outside of a transaction. The view
#: would tell as well, but it copies all locks of the server.
_is_unguarded = (
    "CASE WHEN pg_try_advisory_lock_shared(:guard)"
    " THEN pg_advisory_unlock_shared(:guard) ELSE false END"
)
_lock_session = sa.text(
    "SELECT CASE WHEN NOT pg_try_advisory_lock(:key) THEN false"
    f" WHEN {_is_unguarded} THEN true"
    " ELSE NOT pg_advisory_unlock(:key) END"
).bindparams(_key, _guard)
#: Tells first whether the session has the lock already. Also keeps the server from
#: ending a session that is idle in the transaction, as while another database is
#: migrated.
_lock_transaction = sa.text(
    f"SELECT EXISTS (SELECT FROM {_key_locks} AND l.pid = pg_backend_pid()),"
    f" CASE WHEN pg_try_advisory_xact_lock(:key) THEN {_is_unguarded}"
    " ELSE false END,"
    " set_config('idle_in_transaction_session_timeout', '0', true)"
).bindparams(_key, _guard)
_lock_guard = sa.text("SELECT pg_try_advisory_xact_lock(:guard)").bindparams(_guard)
_keep_transaction = sa.text("SET LOCAL idle_in_transaction_session_timeout = 0")


class AdvisoryLock(SessionLock):
    """The lock of one database.

    A session holds it from :meth:`acquire` to :meth:`release`, and each transaction
    takes it again with its first statement. That also sends the rest of the transaction
    to the primary where a proxy would send reads to a replica.

    Where a pooler lends a session to each transaction, only transactions hold it. A
    second key, the guard, keeps others out while a revision is in none.

    Both are polled instead of waited for: a statement that waits holds a snapshot, and
    ``CREATE INDEX CONCURRENTLY`` waits for all snapshots.

    :param connection: The migrating connection.
    :param key: The key of the lock.
    :param connect: Opens another connection to the database, for the guard.
    """

    acquire_statement: t.ClassVar[sa.TextClause] = _lock_session
    release_statement: t.ClassVar[sa.TextClause] = sa.text(
        "SELECT pg_advisory_unlock(:key)"
    ).bindparams(_key)
    # An idle session does not migrate: it has been left behind.
    holder_statement: t.ClassVar[sa.TextClause] = sa.text(
        "SELECT a.pid, a.application_name, host(a.client_addr) AS address,"
        " CASE WHEN a.state = 'idle' THEN a.state_change ELSE a.xact_start END"
        " AS since,"
        " CASE WHEN a.state <> 'idle' THEN a.query END AS query,"
        " a.state = 'idle' AS is_idle"
        " FROM pg_stat_activity a"
        f" WHERE a.pid IN (SELECT l.pid FROM {_key_locks}"
        f" UNION SELECT l.pid FROM {_guard_locks}) AND a.pid <> pg_backend_pid()"
        " ORDER BY a.backend_start LIMIT 1"
    ).bindparams(_key, _guard)

    def __init__(self, connection: sa.Connection, key: str, connect: Connect) -> None:
        super().__init__(connection, key)
        self.is_pooled: bool = is_pooled(connection)
        self._connect = connect
        self._was_lost = False
        self._guarding = contextlib.ExitStack()
        self._is_guarded = False

    @property
    def parameters(self) -> dict[str, t.Any]:
        return {"key": to_number(self.key), "guard": to_number(digest(self.key))}

    def acquire(self) -> bool:
        return self.is_pooled or super().acquire()

    def acquire_in_transaction(self) -> bool:
        """Try to acquire the lock with the first statement of a transaction."""
        parameters = self.parameters

        if self._is_guarded:
            # By this migration itself, and its own session can share the key.
            parameters["guard"] = parameters["key"]

        was_held, acquired, _ = self._connection.execute(
            _lock_transaction, parameters
        ).one()

        if not acquired:
            # SQLAlchemy's own transaction has not begun yet.
            self._connection.connection.rollback()
        elif not (was_held or self.is_pooled):
            self._was_lost = True

        return bool(acquired)

    def guard(self) -> None:
        """Keep others out although the transaction ends in the middle of a revision."""
        if not self.is_pooled or self._is_guarded:
            return

        connection = self._guarding.enter_context(self._connect())
        # Only the holder of the lock takes it, or asks whether somebody has it.
        connection.execute(_lock_guard, {"guard": self.parameters["guard"]})
        # Until the next statement, a query has a snapshot in the extended protocol, for
        # which CREATE INDEX CONCURRENTLY would wait. This one needs none.
        connection.execute(_keep_transaction)
        self._is_guarded = True

    def end_guard(self) -> None:
        """Let others in again, unless a transaction holds the lock."""
        self._is_guarded = False
        self._guarding.close()

    def is_held(self) -> bool:
        if not (self.is_pooled or self._connection.in_transaction()):
            # Begins a transaction, with the lock.
            self._connection.scalar(sa.text("SELECT 1"))

        return not self._was_lost

    def release(self) -> None:
        self.end_guard()

        if not self.is_pooled:
            super().release()

    def holder(self) -> LockHolder | None:
        holder = super().holder()
        # Called before SQLAlchemy's own transaction has begun, too.
        self._connection.connection.rollback()
        return holder


def to_number(key: str) -> int:
    """Return the number that PostgreSQL has for a key."""
    return int.from_bytes(bytes.fromhex(key), signed=True)
