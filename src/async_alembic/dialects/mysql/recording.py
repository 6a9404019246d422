"""Executes the statements of a revision, and records in the journal what is committed.

The server says in each response whether a transaction is open
(https://mariadb.com/kb/en/ok_packet/#server-status-flag). As one is always open while a
revision runs, one that is not has been committed or rolled back.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import copy
import functools
import typing as t

from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import elements

from ..migrated import is_usable
from ..migrated import listening
from ..migrated import MigratedConnection
from .journal import APPLIED
from .journal import Entry
from .journal import FAILED
from .journal import NEUTRAL
from .journal import UNDONE
from .replay import is_already_applied
from .replay import Replay

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from ..journals import Recorded
    from .journal import Details
    from .journal import MySQLJournal

Run: t.TypeAlias = c.Callable[[], None]
#: SERVER_STATUS_IN_TRANS.
_IN_TRANSACTION = 1
#: "Table was not locked with LOCK TABLES" and "conflicting read lock": the journal can
#: be written once the revision unlocks the tables.
_LOCKED = {1099, 1100, 1223}
#: The errors of statements that are not possible in a transaction, such as SET
#: TRANSACTION and SET sql_log_bin.
_NOT_IN_TRANSACTION = {1568, 1679, 1685, 1694, 1695, 1766}
#: SQLAlchemy numbers savepoints by connection, so that they differ between two runs.
_SAVEPOINTS = (
    elements.SavepointClause,
    elements.ReleaseSavepointClause,
    elements.RollbackToSavepointClause,
)


class MySQLConnection(MigratedConnection):
    """A connection whose statements are recorded while a revision runs."""

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(connection)
        self._driver_error = connection.dialect.loaded_dbapi.Error
        self.on_revision_end()

    @contextlib.contextmanager
    def installed(self) -> c.Iterator[None]:
        """Make the connection execute statements like this."""
        original = self._connection.dialect
        dialect: t.Any = copy.copy(original)

        for name in "do_execute", "do_execute_no_params", "do_executemany":
            method = functools.partial(self._execute_by, getattr(original, name))
            setattr(dialect, name, method)

        listeners: dict[str, c.Callable[..., None]] = {
            "commit": self._before_commit,
            "rollback": self._before_rollback,
            "savepoint": self._before_savepoint,
            "release_savepoint": self._before_release,
            "rollback_savepoint": self._before_rollback_to,
        }
        self._connection.dialect = dialect

        try:
            with listening(self._connection, listeners):
                yield
        finally:
            self._connection.dialect = original

    def on_revision_end(self) -> None:
        self._journal: MySQLJournal | None = None
        self._details: Details = {}
        self._replay: Replay | None = None
        self._is_recording = False
        #: Whether the journal has the revision.
        self._is_begun = False
        #: Whether the journal has the transaction that is open.
        self._is_marked = False
        #: The position of its first statement.
        self._position = 1
        #: Its statements.
        self._entries: list[Entry] = []
        #: How many statements came before each savepoint.
        self._savepoints: list[int] = []
        #: Whether it has ended, which is not written yet.
        self._is_due = False
        #: Whether it may have ended: a response with rows does not say so.
        self._is_unclear = False
        #: The statement that is executed.
        self._running: Entry | None = None
        #: The last statement, if it has failed.
        self._failed: Entry | None = None

    def record(
        self, journal: t.Any, details: Details, recorded: Recorded | None
    ) -> None:
        self.on_revision_end()
        self._journal = journal
        self._details = details

        if recorded is not None:
            self._replay = Replay(self._connection, recorded)
            self._position = self._replay.position
            self._is_begun = self.has_journal = True

    @contextlib.contextmanager
    def in_revision(self) -> c.Iterator[None]:
        self._is_recording = self._journal is not None

        try:
            yield

            if self._is_recording:
                self._settle()

                if self._replay is not None:
                    self._replay.end()
        finally:
            self._is_recording = False

    def settle_failure(self, journal: t.Any) -> None:
        if not self._is_begun and not self._is_marked and not self._is_due:
            return

        is_open = journal.is_open(self._position)

        if is_open and (self._is_due or self._is_unclear):
            journal.complete(self._position, self._entries)
            is_open = False

        failed = self._failed if self._running is None else self._running
        uncertain = [entry.text for entry in self._entries if entry.kind == APPLIED]
        journal.update(
            self._details
            | {"failed": failed.text if failed else None}
            | {"uncertain": uncertain if is_open else []}
        )

    def _execute_by(
        self,
        method: c.Callable[..., None],
        cursor: t.Any,
        statement: str,
        *args: t.Any,
        **kwargs: t.Any,
    ) -> None:
        run = functools.partial(method, cursor, statement, *args, **kwargs)
        *parameters, context = (*args, *kwargs.values()) or (None,)

        if not self._is_recording:
            run()
        elif isinstance(getattr(context, "invoked_statement", None), _SAVEPOINTS):
            self._execute_savepoint(run)
        else:
            self._execute(Entry.of(statement, parameters), run, cursor, context)

    def _execute(self, entry: Entry, run: Run, cursor: t.Any, context: t.Any) -> None:
        self._running = entry
        self._settle()
        self._running = self._failed = None

        if (replay := self._replay) is not None:
            replay.check()

            if not replay.is_done:
                with self._unrecorded():
                    replay.repeat(entry, run, cursor, context)

                return

            if replay.is_searching:
                self._search(replay, entry, run, cursor)
                return

        self._begin()
        self._running = entry

        try:
            self._run(run)
        except self._driver_error as e:
            self._note_error(entry, e, cursor)
            raise

        self._running = None
        self._note(entry, cursor, context)

    def _execute_savepoint(self, run: Run) -> None:
        if self._replay is None or self._replay.is_over:
            # What begins the transaction must not be rolled back to a savepoint.
            self._settle()
            self._begin()

        # While it searches, there is no transaction for savepoints.
        if self._replay is None or not self._replay.is_searching:
            run()

    def _run(self, run: Run) -> None:
        self._forget_status()

        try:
            run()
        except self._driver_error as e:
            if not self._is_autocommit or e.args[0] not in _NOT_IN_TRANSACTION:
                raise

            with self._unrecorded():
                self._connection.exec_driver_sql("ROLLBACK")

            self._is_marked = False
            run()

    def _note(self, entry: Entry, cursor: t.Any, context: t.Any) -> None:
        has_rows = cursor.description is not None
        is_open = self._is_in_transaction()
        is_applied = (
            bool(context.isinsert or context.isupdate or context.isdelete)
            if has_rows
            else cursor.rowcount > 0 or not is_open
        )
        self._entries.append(
            entry._replace(
                kind=APPLIED if is_applied else NEUTRAL,
                rowcount=cursor.rowcount,
                lastrowid=None if has_rows else cursor.lastrowid,
                has_rows=has_rows,
            )
        )

        if has_rows:
            # The rows must be read first.
            self._is_unclear = True
        elif not is_open or self._is_autocommit:
            self._is_due = True
            self._settle()

    def _note_error(self, entry: Entry, error: t.Any, cursor: t.Any) -> None:
        code, message = (*error.args, None, "")[:2]

        if self._connection.dialect.is_disconnect(error, None, cursor):
            return

        try:
            is_open = self._ask()
        except self._driver_error:
            return

        known = [code, str(message)] if isinstance(code, int) else None
        self._running = None
        self._failed = entry._replace(kind=FAILED, error=known)
        self._entries.append(self._failed)
        self._is_due = not is_open

    def _begin(self) -> None:
        if self._is_marked:
            return

        assert self._journal is not None

        with self._unrecorded():
            if self._replay is not None:
                # What only reads was executed again.
                self._connection.exec_driver_sql("ROLLBACK")

            if self._is_begun:
                self._journal.mark(self._position, transaction=self._is_autocommit)
            else:
                if not self.has_journal:
                    self._journal.create()
                    self.has_journal = True

                self._journal.begin(self._details, transaction=self._is_autocommit)

        self._is_marked = True

    def _settle(self) -> None:
        """Write the statements of a transaction that has ended."""
        if self._is_unclear:
            self._is_unclear = False

            if not self._ask():
                self._is_due = True
                self._entries[-1] = self._entries[-1]._replace(kind=APPLIED)
            elif self._is_autocommit:
                self._is_due = True

        if self._is_due:
            self._write()

    def _write(self) -> None:
        assert self._journal is not None

        try:
            with self._unrecorded():
                is_committed = self._journal.write(
                    self._position, self._entries, transaction=self._is_autocommit
                )
        except DBAPIError as e:
            if not _is_locked(e):
                raise

            return

        self._is_due = False
        self._is_marked = is_committed

        if is_committed:
            self._is_begun = True
            self._position += len(self._entries)
            self._entries = []
        else:
            self._undo(self._position)

    def _search(self, replay: Replay, entry: Entry, run: Run, cursor: t.Any) -> None:
        """Find the statement that has committed what the journal does not have.

        What it has not committed itself is applied by it, so that it is rolled back.
        """
        assert self._journal is not None
        error: t.Any = None

        with self._unrecorded():
            self._journal.probe(transaction=self._is_autocommit)

            try:
                run()
            except self._driver_error as e:
                error = e

            has_committed = self._has_committed()

        has_rows = cursor.description is not None
        is_applied = has_committed or (not has_rows and cursor.rowcount > 0)

        if self._is_autocommit and not has_committed and (is_applied or error):
            replay.refuse(f"it is unknown whether [{entry.text}] was applied")

        if has_committed and error and not is_already_applied(error):
            self._failed = entry
            raise error

        kind = APPLIED if is_applied else NEUTRAL
        self._entries.append(entry._replace(kind=kind, has_rows=has_rows))

        if has_committed:
            replay.is_searching = False
            self._is_marked = self._is_due = True
            self._settle()

    def _has_committed(self) -> bool:
        assert self._journal is not None

        try:
            return self._journal.has_committed()
        except DBAPIError as e:
            # It has locked tables, which commits.
            if not _is_locked(e):
                raise

            return True

    def _before_commit(self, connection: sa.Connection) -> None:
        # What was interrupted may have committed.
        if not self._is_recording or self._running:
            return

        self._settle()

        # Otherwise, the journal would have the statements.
        if self._replay is not None and self._replay.is_searching and self._entries:
            self._replay.refuse("no statement commits what was committed")

        if self._is_marked and self._journal is not None:
            with self._unrecorded():
                self._journal.add(self._position, self._entries)

            self._position += len(self._entries)
            self._entries = []
            self._is_begun = True
            self._is_marked = False

    def _before_rollback(self, connection: sa.Connection) -> None:
        if not self._is_recording or self._running or not is_usable(connection):
            return

        self._settle()
        self._undo(self._position)
        self._is_marked = False

    def _before_savepoint(self, connection: sa.Connection, name: str | None) -> None:
        self._savepoints.append(self._position + len(self._entries))

    def _before_release(
        self, connection: sa.Connection, name: str, context: None
    ) -> None:
        self._savepoints.pop()

    def _before_rollback_to(
        self, connection: sa.Connection, name: str, context: None
    ) -> None:
        self._undo(self._savepoints.pop())

    def _undo(self, position: int) -> None:
        """Note that the statements from a position on were rolled back."""
        for index in range(max(position - self._position, 0), len(self._entries)):
            entry = self._entries[index]

            if entry.kind == APPLIED:
                self._entries[index] = entry._replace(kind=UNDONE)

    @contextlib.contextmanager
    def _unrecorded(self) -> c.Iterator[None]:
        is_recording, self._is_recording = self._is_recording, False

        try:
            yield
        finally:
            self._is_recording = is_recording

    @property
    def _driver_connection(self) -> t.Any:
        return self._connection.connection.driver_connection

    @property
    def _is_autocommit(self) -> bool:
        return bool(self._driver_connection.get_autocommit())

    def _ask(self) -> bool:
        """Return whether a transaction is open. Errors and rows don't say so."""
        self._forget_status()
        dialect = self._connection.dialect

        with contextlib.closing(self._connection.connection.cursor()) as cursor:
            with self._unrecorded():
                dialect.do_execute(t.cast("t.Any", cursor), "DO 0", ())

        return self._is_in_transaction()

    def _forget_status(self) -> None:
        # asyncmy keeps the last status if the next one is 0.
        self._driver_connection.server_status &= ~_IN_TRANSACTION

    def _is_in_transaction(self) -> bool:
        return bool(self._driver_connection.server_status & _IN_TRANSACTION)


def _is_locked(error: DBAPIError) -> bool:
    return error.orig is not None and error.orig.args[0] in _LOCKED
