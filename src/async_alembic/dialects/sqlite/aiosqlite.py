"""Cursors for aiosqlite with fewer thread switches.

SQLAlchemy's adapter creates, executes, reads and closes a cursor in four round trips to
the driver's thread. A switch takes longer than most statements of a migration.
"""

from __future__ import annotations

import collections
import contextlib
import typing as t

from sqlalchemy.exc import DBAPIError

from ..copies import changed_dialect
from ..migrated import listening
from ..version_updates import VersionUpdate

if t.TYPE_CHECKING:
    import collections.abc as c

    import sqlalchemy as sa


class DriverThread:
    """Executes the statements of a connection in the driver's thread.

    An update of the version table waits for the next statement, and takes no switch of
    its own. SQLite executes the same statements in the same order.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._deferred: list[tuple[VersionUpdate, str, t.Any]] = []

    @property
    def _adapted(self) -> t.Any:
        return self._connection.connection.dbapi_connection

    def execute(
        self, cursor: t.Any, statement: str, parameters: t.Any, context: t.Any = None
    ) -> None:
        """Execute a statement, or defer it if it updates the version table."""
        update = VersionUpdate.of(context, statement)

        # A cursor of SQLAlchemy's adapter would be ahead of it.
        if update or not isinstance(cursor, Cursor):
            self.flush()

        if update and self._adapted.driver_connection.in_transaction:
            self._deferred.append((update, statement, parameters))
        else:
            cursor.execute(statement, parameters)

    def flush(self) -> None:
        """Execute the deferred update.

        :raises RevisionError: If the version table was changed by something else.
        """
        if not self._deferred:
            return

        _, statement, parameters = self._deferred[0]
        dialect = self._connection.dialect

        try:
            self.run(lambda driver: None)
        except dialect.loaded_dbapi.Error as e:
            # At a commit, SQLAlchemy does not make it an error of its own.
            error = dialect.loaded_dbapi.Error
            raise DBAPIError.instance(
                statement, parameters, e, error, dialect=dialect
            ) from e

    def discard(self) -> None:
        """Drop the deferred update, as the transaction is rolled back."""
        self._deferred.clear()

    def run(self, work: c.Callable[[t.Any], t.Any]) -> t.Any:
        """Call a function in the driver's thread, after the deferred update.

        :param work: Takes the connection of :mod:`sqlite3`.
        """
        adapted = self._adapted
        deferred, self._deferred = self._deferred, []

        def run(connection: t.Any) -> t.Any:
            for update, statement, parameters in deferred:
                if connection.execute(statement, parameters).rowcount != 1:
                    raise update.missing_row()

            return work(connection)

        try:
            # There's no public way to do several things in one switch.
            return adapted.run_async(lambda driver: driver._execute(run, driver._conn))
        except Exception as e:
            # There's no public way to convert it to the DBAPI's error.
            adapted._handle_exception(e)
            raise


@contextlib.contextmanager
def fewer_thread_switches(connection: sa.Connection) -> c.Iterator[None]:
    """Make a connection use these cursors.

    :param connection: A connection. Does nothing on other drivers.
    """
    original = connection.dialect

    if original.driver != "aiosqlite":
        yield
        return

    thread = DriverThread(connection)

    class Context(original.execution_ctx_cls):  # type: ignore[misc, name-defined]
        def create_default_cursor(self) -> Cursor:
            return Cursor(thread)

    listeners = {
        "commit": lambda connection: thread.flush(),
        "rollback": lambda connection: thread.discard(),
    }

    with (
        changed_dialect(
            connection, execution_ctx_cls=Context, do_execute=thread.execute
        ),
        listening(connection, listeners),
    ):
        yield


class Cursor:
    """A :pep:`249` cursor. A statement takes one switch, with all of its rows.

    :param thread: Executes the statements.
    """

    arraysize = 1
    description: t.Any = None
    lastrowid: int | None = None
    #: That of an update of the version table which is deferred.
    rowcount = 1

    def __init__(self, thread: DriverThread) -> None:
        self._thread = thread
        self._rows: collections.deque[t.Any] = collections.deque()

    def execute(self, statement: str, parameters: t.Any = ()) -> None:
        self._run(lambda connection: connection.execute(statement, parameters))

    def executemany(self, statement: str, parameters: t.Any) -> None:
        self._run(lambda connection: connection.executemany(statement, parameters))

    def fetchone(self) -> t.Any:
        return self._rows.popleft() if self._rows else None

    def fetchmany(self, size: int | None = None) -> list[t.Any]:
        count = min(size or self.arraysize, len(self._rows))
        return [self._rows.popleft() for _ in range(count)]

    def fetchall(self) -> list[t.Any]:
        return self.fetchmany(len(self._rows))

    def close(self) -> None:
        self._rows.clear()

    def _run(self, execute: c.Callable[[t.Any], t.Any]) -> None:
        def run(connection: t.Any) -> None:
            executed = execute(connection)

            if executed.description:
                self._rows.extend(executed.fetchall())

            self.description = executed.description
            self.rowcount = executed.rowcount
            self.lastrowid = executed.lastrowid

        self._thread.run(run)
