"""Executes the statements of a revision, and records in the journal what is committed.

The server says in each response whether a transaction is open
(https://mariadb.com/kb/en/ok_packet/#server-status-flag). As one is always open while a
revision runs, one that is not has been committed or rolled back.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import dataclasses
import functools
import typing as t

from sqlalchemy.exc import DBAPIError

from ..migrated import is_savepoint
from ..migrated import is_usable
from ..migrated import listening
from ..migrated import MigratedConnection
from .journal import APPLIED
from .journal import Entry
from .journal import FAILED
from .journal import NEUTRAL
from .journal import UNKNOWN
from .replay import is_already_applied
from .replay import Replay
from .responses import executing_by
from .responses import is_locked
from .responses import refuses_transactions
from .responses import Responses
from .statements import Statements

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from ..journals import Recorded
    from .journal import Details
    from .journal import MySQLJournal

Run: t.TypeAlias = c.Callable[[], None]


class MySQLConnection(MigratedConnection):
    """A connection whose statements are recorded while a revision runs."""

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(connection)
        self._responses = Responses(connection)
        self._driver_error = connection.dialect.loaded_dbapi.Error
        self.on_revision_end()

    @contextlib.contextmanager
    def installed(self) -> c.Iterator[None]:
        """Make the connection execute statements like this."""
        listeners: dict[str, c.Callable[..., None]] = {
            "commit": self._before_commit,
            "rollback": self._before_rollback,
            "savepoint": lambda *args: self._statements.before_savepoint(*args),
            "release_savepoint": lambda *args: self._statements.before_release(*args),
            "rollback_savepoint": lambda *args: self._statements.before_rollback_to(
                *args
            ),
        }

        with (
            executing_by(self._connection, self._execute_by),
            listening(self._connection, listeners),
        ):
            yield

    def on_revision_end(self) -> None:
        self._journal: MySQLJournal | None = None
        self._details: Details = {}
        self._replay: Replay | None = None
        self._is_recording = False
        #: Whether the journal has the revision.
        self._is_begun = False
        #: Whether the journal has the transaction that is open.
        self._is_marked = False
        self._statements = Statements()
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
            self._statements = Statements(self._replay.position)
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

        is_open = journal.is_open(self._statements.position)

        has_called = self._failed is not None and self._failed.kind == UNKNOWN

        if is_open and (self._is_due or self._is_unclear or has_called):
            journal.complete(self._statements.position, self._statements.entries)
            is_open = False

        failed = self._failed if self._running is None else self._running
        uncertain = [
            entry.text for entry in self._statements.entries if entry.kind == APPLIED
        ]
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
        elif is_savepoint(context):
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
        self._responses.forget()

        try:
            run()
        except self._driver_error as e:
            if not self._responses.is_autocommit or not refuses_transactions(e):
                raise

            with self._unrecorded():
                self._connection.exec_driver_sql("ROLLBACK")

            self._is_marked = False
            run()

    def _note(self, entry: Entry, cursor: t.Any, context: t.Any) -> None:
        has_rows = cursor.description is not None
        is_open = self._responses.is_in_transaction
        is_applied = (
            bool(context.isinsert or context.isupdate or context.isdelete)
            if has_rows
            else cursor.rowcount > 0 or not is_open
        )
        self._statements.entries.append(entry.executed(cursor, is_applied))

        # Whether it calls one is only a guess, which saves a query.
        if "call" in entry.text.lower() and not has_rows:
            self._responses.has_called()

        if has_rows:
            # The rows must be read first.
            self._is_unclear = True
        elif not is_open or self._responses.is_autocommit:
            self._is_due = True
            self._settle()

    def _note_error(self, entry: Entry, error: t.Any, cursor: t.Any) -> None:
        code, message = (*error.args, None, "")[:2]

        if self._connection.dialect.is_disconnect(error, None, cursor):
            return

        try:
            is_open = self._responses.ask()
            kind = UNKNOWN if self._responses.has_called() else FAILED
        except self._driver_error:
            return

        known = [code, str(message)] if isinstance(code, int) else None
        self._running = None
        self._failed = dataclasses.replace(entry, kind=kind, error=known)
        self._statements.entries.append(self._failed)
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
                self._journal.mark(
                    self._statements.position, transaction=self._responses.is_autocommit
                )
            else:
                if not self.has_journal:
                    self._journal.create()
                    self.has_journal: bool = True

                self._journal.begin(
                    self._details, transaction=self._responses.is_autocommit
                )

        self._is_marked = True

    def _settle(self) -> None:
        """Write the statements of a transaction that has ended."""
        if self._is_unclear:
            self._is_unclear = False

            if not self._responses.ask():
                self._is_due = True
                self._statements.entries[-1] = dataclasses.replace(
                    self._statements.entries[-1], kind=APPLIED
                )
            elif self._responses.is_autocommit:
                self._is_due = True

        if self._is_due:
            self._write()

    def _write(self) -> None:
        assert self._journal is not None

        try:
            with self._unrecorded():
                is_committed = self._journal.write(
                    self._statements.position,
                    self._statements.entries,
                    transaction=self._responses.is_autocommit,
                )
        except DBAPIError as e:
            if not is_locked(e):
                raise

            return

        self._is_due = False
        self._is_marked = is_committed

        if is_committed:
            self._is_begun = True
            self._statements.end()
        else:
            self._statements.undo()

    def _search(self, replay: Replay, entry: Entry, run: Run, cursor: t.Any) -> None:
        """Find the statement that has committed what the journal does not have.

        What it has not committed itself is applied by it, so that it is rolled back.
        """
        assert self._journal is not None
        error: t.Any = None

        with self._unrecorded():
            self._journal.probe(transaction=self._responses.is_autocommit)

            try:
                run()
            except self._driver_error as e:
                error = e

            has_committed = self._journal.has_committed()

        has_rows = cursor.description is not None
        is_applied = has_committed or (not has_rows and cursor.rowcount > 0)

        # An error may mean that it is applied, or be one that the revision catches.
        if not has_committed and (
            error or (self._responses.is_autocommit and is_applied)
        ):
            replay.refuse(f"it is unknown whether [{entry.text}] was applied")

        if has_committed and error and not is_already_applied(error):
            self._failed = entry
            raise error

        kind = APPLIED if is_applied else NEUTRAL
        self._statements.entries.append(
            dataclasses.replace(entry, kind=kind, has_rows=has_rows)
        )

        if has_committed:
            replay.is_searching = False
            self._is_marked = self._is_due = True
            self._settle()

    def _before_commit(self, connection: sa.Connection) -> None:
        # What was interrupted may have committed.
        if not self._is_recording or self._running:
            return

        self._settle()

        # Otherwise, the journal would have the statements.
        if (
            self._replay is not None
            and self._replay.is_searching
            and self._statements.entries
        ):
            self._replay.refuse("no statement commits what was committed")

        if self._is_marked and self._journal is not None:
            with self._unrecorded():
                self._journal.add(self._statements.position, self._statements.entries)

            self._statements.end()
            self._is_begun = True
            self._is_marked = False

    def _before_rollback(self, connection: sa.Connection) -> None:
        if not self._is_recording or self._running or not is_usable(connection):
            return

        self._settle()
        self._statements.undo()
        self._is_marked = False

    @contextlib.contextmanager
    def _unrecorded(self) -> c.Iterator[None]:
        is_recording, self._is_recording = self._is_recording, False

        try:
            yield
        finally:
            self._is_recording = is_recording
