"""A connection to SQLite during a migration."""

from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ...errors import ConfigurationError
from ..base import Wait
from ..migrated import Batch
from ..migrated import Block
from ..migrated import is_autocommit
from ..migrated import is_usable
from ..migrated import listening
from ..migrated import MigratedConnection
from .aiosqlite import fewer_thread_switches
from .batch import BatchChange
from .driver import data_version
from .driver import end_transaction
from .driver import execute
from .driver import in_transaction
from .driver import is_blocked
from .driver import pragma
from .file_locks import find_blocker
from .foreign_keys import find_error
from .foreign_keys import find_violations
from .foreign_keys import Violation
from .refusals import Attempts
from .refusals import find_ignored
from .refusals import is_refused
from .tokens import find_created
from .tokens import quote
from .transaction import Transaction

if t.TYPE_CHECKING:
    from alembic.operations import BatchOperations


@contextlib.contextmanager
def migrating(
    connection: sa.Connection, wait: Wait | None
) -> c.Iterator[SQLiteConnection]:
    """See :meth:`.SQLite.migrating`."""
    was_open = in_transaction(connection)
    enforced = pragma(connection, "foreign_keys") == [(1,)]
    migration = SQLiteConnection(connection, wait, enforced)

    try:
        if enforced:
            end_transaction(connection)
            pragma(connection, "foreign_keys=OFF")

        with fewer_thread_switches(connection), migration.listening():
            migration.begin()
            yield migration

        is_open = migration.transaction.is_open

        if in_transaction(connection) and not (was_open or is_open):
            raise ConfigurationError(
                "The driver did not commit, and the migration was rolled back. Create"
                " the engine without 'autocommit': True in 'connect_args', with which"
                " sqlite3 ignores commit()."
            )
    finally:
        if is_usable(connection):
            try:
                _restore(connection, enforced, was_open)
                migration.transaction.restore()
            except BaseException:
                # The connection must not go back to the pool partly restored.
                connection.invalidate()
                raise


class SQLiteConnection(MigratedConnection):
    """Begins each transaction as the only writer.

    :param connection: A connection outside of a transaction.
    :param wait: Waits for other writers; ``None`` to let SQLite wait.
    :param check_keys: Whether to check foreign keys before each commit.
    """

    def __init__(
        self, connection: sa.Connection, wait: Wait | None, check_keys: bool
    ) -> None:
        super().__init__(connection)
        self._wait = wait
        self._check_keys = check_keys
        self._violations: list[Violation] | None = None
        self.transaction: Transaction = Transaction(connection)
        self._attempts = Attempts(connection, self._leave_after)
        self._is_in_revision = False
        self._is_in_block = False
        #: Whether the revision has failed with an error of another connection.
        self._is_of_other = False
        self._data_version: list[t.Any] = []
        #: The schema and the name of each trigger and index that was restored after a
        #: batch.
        self._restored: set[tuple[str, str]] = set()

    @contextlib.contextmanager
    def listening(self) -> c.Iterator[None]:
        """Begin each transaction of the connection, and check it before the commit."""
        listeners: dict[str, c.Callable[..., t.Any]] = {
            "before_cursor_execute": self._before_statement,
            "after_cursor_execute": self._after_statement,
            "commit": self._before_commit,
            "rollback": self._before_rollback,
        }

        with (
            self._attempts.use(),
            listening(self._connection, listeners, retval={"before_cursor_execute"}),
        ):
            yield

    def begin(self) -> None:
        end_transaction(self._connection)

        if self._wait is None:
            execute(self._connection, "BEGIN IMMEDIATE")
        else:
            # SQLite's own wait cannot be cancelled.
            [(timeout,)] = pragma(self._connection, "busy_timeout")
            pragma(self._connection, "busy_timeout=0")

            try:
                self._wait(self._try_to_begin, lambda: find_blocker(self._connection))
            finally:
                pragma(self._connection, f"busy_timeout={timeout}")

        self.transaction.on_begin()

        if self._check_keys and self._violations is None:
            self._violations = find_violations(self._connection)

    def resume(self) -> bool:
        if self.transaction.is_open:
            return True

        before = self._data_version
        self.begin()
        self._data_version = data_version(self._connection)
        return bool(before) and self._data_version == before

    @contextlib.contextmanager
    def in_revision(self) -> c.Iterator[None]:
        self._is_in_revision = True
        self.transaction.on_revision_start()

        try:
            yield
            self._check_transaction()
        except BaseException as e:
            if is_usable(self._connection):
                self._is_of_other = self.transaction.is_open and (
                    self._attempts.is_of_other(e)
                )
                self._notice_end()

            raise
        finally:
            self._is_in_revision = False

    def advice(self, error: BaseException) -> str | None:
        if not self._is_of_other:
            return None

        return (
            "Use op.get_bind() instead of another connection, which can neither see nor"
            " change the database during a migration"
        )

    @contextlib.contextmanager
    def autocommit_block(self, block: Block) -> c.Iterator[None]:
        """Stay in the transaction, which all but a few statements allow. Leaving it
        would let other migrators in during a revision.
        """
        self._is_in_block = True

        try:
            yield
        finally:
            self._is_in_block = False

            if not self.transaction.is_open and is_usable(self._connection):
                # They would delete rows in a batch change.
                pragma(self._connection, "foreign_keys=OFF")

    @contextlib.contextmanager
    def batch_alter_table(
        self, batch: Batch, table_name: str, *args: t.Any, **kwargs: t.Any
    ) -> c.Iterator[BatchOperations]:
        """Preserve everything when a batch recreates the table."""
        with contextlib.ExitStack() as stack:
            operations = stack.enter_context(batch(table_name, *args, **kwargs))
            yield operations
            change = BatchChange.of(self._connection, operations.impl)

            if change is not None:
                self._restored |= change.make(stack.close)

    def _try_to_begin(self) -> bool:
        try:
            execute(self._connection, "BEGIN IMMEDIATE")
        except DBAPIError as e:
            if e.orig is not None and is_blocked(e.orig):
                return False

            raise

        return True

    def _before_statement(
        self,
        connection: sa.Connection,
        cursor: object,
        statement: str,
        parameters: t.Any,
        context: object,
        executemany: bool,
    ) -> tuple[str, t.Any]:
        """Begin a transaction before a statement that would run outside of one.

        SQLAlchemy's ``begin`` event is too early: a listener of the app's engine may
        still begin one itself.
        """
        if is_autocommit(connection):
            return statement, parameters

        self._check_transaction()

        if setting := find_ignored(statement):
            if self._is_in_block:
                self._leave()
                return statement, parameters

            setting.check(connection)

        if not self.transaction.is_open:
            self.begin()

        if self._restored and (created := find_created(statement)):
            kind, schema, name = created

            # The revision recreates it itself.
            if (schema, name) in self._restored:
                self._restored.discard((schema, name))
                place = f"{quote(schema)}.{quote(name)}"
                execute(connection, f"DROP {kind} IF EXISTS {place}")

        return statement, parameters

    def _after_statement(
        self, connection: sa.Connection, cursor: t.Any, *args: object
    ) -> None:
        self.transaction.has_changes |= cursor.description is None

    # The end of a transaction.

    def _leave(self) -> None:
        """Commit, to execute something outside of a transaction."""
        if self.transaction.is_open:
            self._before_commit(self._connection)
            execute(self._connection, "COMMIT")

    def _leave_after(self, error: BaseException) -> bool:
        """Leave the transaction if that makes SQLite refuse a statement of a block."""
        if not self._is_in_block or not self.transaction.is_open:
            return False

        if is_refused(error):
            self._leave()

        return not self.transaction.is_open

    def _notice_end(self) -> None:
        if self.transaction.has_ended():
            self._on_end(is_rollback=self.transaction.was_rolled_back())

    def _check_transaction(self) -> None:
        self._notice_end()
        self.transaction.check()

    def _on_end(self, *, is_rollback: bool) -> None:
        if self._is_in_revision and self.transaction.is_open and not is_rollback:
            self.has_committed = True

        self.transaction.on_end(is_rollback=is_rollback and self._is_in_revision)

    def _before_commit(self, connection: sa.Connection) -> None:
        if self._check_keys:
            before, after = self._violations or [], find_violations(connection)

            if error := find_error(connection, before, after):
                raise error

        self._data_version = data_version(connection)
        self._on_end(is_rollback=False)

    def _before_rollback(self, connection: sa.Connection) -> None:
        self._on_end(is_rollback=True)


def _restore(connection: sa.Connection, enforced: bool, was_open: bool) -> None:
    """Roll back, and restore the original mode of a connection."""
    connection.rollback()
    # SQLAlchemy considers a transaction ended even if its commit failed.
    connection.connection.rollback()

    if not was_open and in_transaction(connection):
        execute(connection, "ROLLBACK")

    if enforced:
        end_transaction(connection)
        pragma(connection, "foreign_keys=ON")

    if was_open and not in_transaction(connection):
        execute(connection, "BEGIN")
