from __future__ import annotations

import collections.abc as c
import contextlib

import sqlalchemy as sa

from ..base import Wait
from ..migrated import Block
from ..migrated import is_autocommit
from ..migrated import listening
from ..migrated import MigratedConnection
from .advisory_locks import AdvisoryLock
from .settings import check_holds_outside_transactions
from .sqlstates import sqlstate

#: "in_failed_sql_transaction": the server has rejected an earlier statement.
_ABORTED = "25P02"
# The function is volatile, so that a proxy sends it and what follows to the primary.
_use_primary = sa.text("SELECT pg_is_in_recovery()")


class PostgreSQLConnection(MigratedConnection):
    """Begins each transaction on the primary, with the lock.

    :param connection: A connection outside of a transaction.
    :param lock: The lock, if it is one of transactions.
    :param wait: Waits until it is acquired.
    """

    def __init__(
        self,
        connection: sa.Connection,
        lock: AdvisoryLock | None,
        wait: Wait | None,
    ) -> None:
        super().__init__(connection)
        self._lock = lock
        self._wait = wait
        self._is_in_revision = False
        #: Whether a transaction was committed since the last revision.
        self._has_left = False
        #: The statement that was sent and has not succeeded yet.
        self._pending: str | None = None
        #: The first statement of the transaction that has failed.
        self._failed: str | None = None

    def listening(self) -> contextlib.AbstractContextManager[None]:
        """Begin each transaction of the connection like this."""
        return listening(
            self._connection,
            {
                "begin": self._on_begin,
                "commit": self._before_commit,
                "before_cursor_execute": self._before_statement,
                "after_cursor_execute": self._after_statement,
                "rollback_savepoint": self._on_rollback_to,
            },
        )

    @contextlib.contextmanager
    def in_revision(self) -> c.Iterator[None]:
        self._is_in_revision = True

        try:
            yield
        finally:
            self._is_in_revision = False

    @contextlib.contextmanager
    def autocommit_block(self, block: Block) -> c.Iterator[None]:
        # Before it commits.
        check_holds_outside_transactions(self._connection)

        with super().autocommit_block(block):
            yield

    def swallowed(self, error: BaseException) -> str | None:
        is_aborted = sqlstate(getattr(error, "orig", None)) == _ABORTED
        return self._failed if is_aborted else None

    def resume(self) -> bool:
        if self._lock is None or not self._lock.is_pooled:
            return True

        was_left, self._has_left = self._has_left, False
        self._lock.end_guard()
        return not was_left

    def _before_statement(
        self, connection: sa.Connection, cursor: object, statement: str, *_: object
    ) -> None:
        self._failed = self._failed or self._pending
        self._pending = statement

    def _after_statement(self, *_: object) -> None:
        self._pending = None

    def _on_rollback_to(self, *_: object) -> None:
        self._pending = self._failed = None

    def _on_begin(self, connection: sa.Connection) -> None:
        self._pending = self._failed = None

        if is_autocommit(connection):
            return

        if self._lock is None or self._wait is None:
            connection.execute(_use_primary)
        else:
            self._wait(self._lock.acquire_in_transaction, self._lock.holder)

    def _before_commit(self, connection: sa.Connection) -> None:
        self._has_left = True

        if self._is_in_revision and self._lock is not None:
            self._lock.guard()
