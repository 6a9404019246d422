"""Tracks what remains of a failed revision where each DDL statement commits."""

from __future__ import annotations

import contextlib
import re
import typing as t

from sqlalchemy.exc import DBAPIError

from ..migrated import AppliedStatements
from ..migrated import is_usable
from ..migrated import listening
from ..migrated import MigratedConnection
from .galera import is_galera

if t.TYPE_CHECKING:
    import sqlalchemy as sa

_COMMENTS = r"(?:\s|--\s[^\n]*\n|\#[^\n]*\n|/\*[^!].*?\*/)*"
_changes_nothing = re.compile(
    rf"{_COMMENTS}(?:SELECT|SHOW|SET|DESC|DESCRIBE|EXPLAIN|USE|DO|SAVEPOINT|RELEASE|ROLLBACK)\b",
    re.IGNORECASE | re.DOTALL,
)
#: Statements that commit themselves and everything before them
#: (https://mariadb.com/kb/en/sql-statements-that-cause-an-implicit-commit/).
_commits = re.compile(
    rf"{_COMMENTS}(?:ALTER|ANALYZE|BEGIN|CACHE|CHANGE|CHECK|COMMIT"
    r"|CREATE(?!(?:\s+OR\s+REPLACE)?\s+TEMPORARY)|DROP(?!\s+TEMPORARY)|FLUSH|GRANT"
    r"|INSTALL|LOAD\s+INDEX|LOCK|OPTIMIZE|RENAME|REPAIR|RESET|REVOKE|SET\s+PASSWORD"
    r"|SET\s+(?:@@)?(?:SESSION[\s.]\s*)?AUTOCOMMIT|START|STOP|TRUNCATE|UNINSTALL|UNLOCK"
    r"|XA)\b",
    re.IGNORECASE | re.DOTALL,
)
_selects = re.compile(rf"{_COMMENTS}CREATE\b.*\bSELECT\b", re.IGNORECASE | re.DOTALL)
#: SERVER_STATUS_IN_TRANS
#: (https://mariadb.com/kb/en/ok_packet/#server-status-flag).
_IN_TRANSACTION = 1
#: "You have an error in your SQL syntax", which is raised before anything is committed.
_SYNTAX_ERROR = 1064
_DEADLOCK = 1213


class MySQLConnection(MigratedConnection):
    """Records the statements of a revision, and how many of them are committed."""

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(connection)
        self.on_revision_end()

    def listening(self) -> contextlib.AbstractContextManager[None]:
        """Record what the connection executes and commits."""
        return listening(
            self._connection,
            {
                "before_cursor_execute": self._before_statement,
                "after_cursor_execute": self._after_statement,
                "commit": self._before_commit,
                "rollback": self._before_rollback,
                "savepoint": self._before_savepoint,
                "release_savepoint": self._before_release,
                "rollback_savepoint": self._before_rollback_to,
            },
        )

    def on_revision_start(self) -> None:
        self.on_revision_end()
        self._is_begun = True

    def on_revision_end(self) -> None:
        self._is_begun = False
        self._executed: list[str] = []
        self._committed = 0
        #: How many statements the last commit covers, until it is confirmed.
        self._unconfirmed: int | None = None
        #: How many statements were executed when each savepoint was set.
        self._savepoints: list[int] = []
        self._running: str | None = None

    def applied_statements(self, error: BaseException) -> AppliedStatements | None:
        if not self._is_begun:
            return None

        usable = is_usable(self._connection)

        if usable and not _is_in_transaction(self._connection):
            self._confirm_commit()

        done, failed = tuple(self._executed), self._running
        committed = self._committed
        has_committed: bool | None = False

        if failed is not None and _commits.match(failed):
            has_committed = self._has_committed(failed, error) if usable else None

        if has_committed:
            committed = len(done)

        interrupted = has_committed is None

        if not committed and not interrupted:
            return None

        uncertain = done[committed:] if interrupted else ()
        return AppliedStatements(done[:committed], failed, interrupted, uncertain)

    def _has_committed(self, failed: str, error: BaseException) -> bool | None:
        """Return whether a failed statement has committed what came before it, as it
        does before it begins; ``None`` if that is unknown.
        """
        if not isinstance(error, DBAPIError):
            return None

        codes = error.orig.args[:1] if error.orig is not None else ()

        if codes == (_DEADLOCK,) and is_galera(self._connection):
            # Its commit conflicts with another transaction, and is rolled back. Only if
            # it reads rows, they can also be locked after its commit.
            is_pending = len(self._executed) > self._committed
            return None if is_pending and _selects.match(failed) else False

        return codes != (_SYNTAX_ERROR,)

    def _before_statement(
        self,
        connection: sa.Connection,
        cursor: object,
        statement: str,
        parameters: object,
        context: object,
        executemany: bool,
    ) -> None:
        self._confirm_commit()

        if self._running and _commits.match(self._running):
            # It failed after its implicit commit, and the revision caught the error.
            self._committed = len(self._executed)

        self._running = statement

    def _after_statement(
        self,
        connection: sa.Connection,
        cursor: object,
        statement: str,
        parameters: object,
        context: object,
        executemany: bool,
    ) -> None:
        self._running = None

        if not _changes_nothing.match(statement):
            self._executed.append(statement)

        if _commits.match(statement) or _is_autocommit(connection):
            self._committed = len(self._executed)

    def _before_commit(self, connection: sa.Connection) -> None:
        # The next event shows whether the commit succeeds.
        self._unconfirmed = len(self._executed)

    def _before_rollback(self, connection: sa.Connection) -> None:
        self._unconfirmed = None

        if self._running is None:
            del self._executed[self._committed :]

    def _before_savepoint(self, connection: sa.Connection, name: str | None) -> None:
        self._savepoints.append(len(self._executed))

    def _before_release(
        self, connection: sa.Connection, name: str, context: None
    ) -> None:
        self._savepoints.pop()

    def _before_rollback_to(
        self, connection: sa.Connection, name: str, context: None
    ) -> None:
        del self._executed[max(self._savepoints.pop(), self._committed) :]

    def _confirm_commit(self) -> None:
        if self._unconfirmed is not None:
            self._committed, self._unconfirmed = self._unconfirmed, None


def _is_in_transaction(connection: sa.Connection) -> bool:
    driver_connection: t.Any = connection.connection.driver_connection
    # From the last response of the server. Not every driver keeps it.
    return bool(getattr(driver_connection, "server_status", 0) & _IN_TRANSACTION)


def _is_autocommit(connection: sa.Connection) -> bool:
    driver_connection: t.Any = connection.connection.driver_connection
    return bool(driver_connection.get_autocommit())
