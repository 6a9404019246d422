"""Runs a revision again whose first statements are applied: they are compared with the
journal instead of being executed.
"""

from __future__ import annotations

import collections.abc as c
import typing as t

from ...errors import ResumeError
from .journal import FAILED
from .journal import NEUTRAL
from .journal import UNKNOWN
from .responses import count_commands
from .responses import is_autocommit
from .responses import refuses_transactions

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from ...results import PartialRevision
    from ..journals import Recorded
    from .journal import Entry

#: "already exists", "does not exist", "Duplicate column name" and the like: what a
#: statement says that is applied already
#: (https://mariadb.com/kb/en/mariadb-error-codes/).
_ALREADY_APPLIED = {
    *(1007, 1008, 1050, 1051, 1060, 1061, 1068, 1091, 1304, 1305, 1359, 1360, 1826),
    *(3821, 3822, 3940, 4091, 4092),
}
#: "Can't create table", for one of many reasons. This one is a foreign key that exists.
_CANNOT_CREATE = 1005
_DUPLICATE_KEY = "errno: 121"
#: What changes rows.
_WRITING = (
    *("insert", "insert_select", "replace", "replace_select", "load"),
    *("update", "update_multi", "delete", "delete_multi"),
)
#: What servers keep of a message.
_MAX_MESSAGE = 128


class Replay:
    """The statements that the journal has, one after another.

    :param connection: The migrating connection.
    :param recorded: What the journal has.
    :ivar is_searching: Whether something was committed after these statements, by a
        statement that is not known yet.
    """

    def __init__(self, connection: sa.Connection, recorded: Recorded) -> None:
        self._connection = connection
        self._partial: PartialRevision = recorded.partial
        self._entries: tuple[Entry, ...] = recorded.statements
        self._position = 0
        self._temporary = self._count_temporary_tables()
        self._refusal: ResumeError | None = None
        self.is_searching: bool = recorded.partial.interrupted

    @property
    def position(self) -> int:
        """The position of the first statement that the journal does not have."""
        return len(self._entries) + 1

    @property
    def is_done(self) -> bool:
        """Whether the journal has no more statements."""
        return self._position == len(self._entries)

    @property
    def is_over(self) -> bool:
        """Whether everything that follows is not applied."""
        return self.is_done and not self.is_searching

    def repeat(
        self, entry: Entry, run: c.Callable[[], None], cursor: t.Any, context: t.Any
    ) -> None:
        """Do as if a statement was executed that the journal has.

        :param entry: The statement that the revision executes now.
        :param run: Executes it.
        :param cursor: The cursor of the driver.
        :param context: SQLAlchemy's execution context.
        """
        self.check()
        recorded = self._entries[self._position]
        self._position += 1

        if recorded.digest != entry.digest:
            self.refuse(
                f"statement {self._position} was [{_shorten(recorded.text)}] with its"
                f" parameters, but is now [{_shorten(entry.text)}] with other ones"
                if recorded.text == entry.text
                else f"statement {self._position} was [{_shorten(recorded.text)}], but"
                f" is now [{_shorten(entry.text)}]"
            )

        if recorded.kind == UNKNOWN and self.is_done:
            self.refuse(
                f"it is unknown what [{_shorten(entry.text)}] has committed before it"
                " failed"
            )
        elif recorded.kind in {FAILED, UNKNOWN} and recorded.error:
            self._raise_again(recorded.error, cursor)
        elif recorded.kind in {NEUTRAL, FAILED}:
            self._run_again(recorded, run)
            self._compare_rows(recorded, cursor)
            self._unlock(cursor)
        elif recorded.has_rows:
            self._refuse_rows(recorded)
        else:
            _set_counts(context, recorded)

        if self.is_done:
            self._check_temporary_tables()

    def check(self) -> None:
        """Raise the error again that the revision may have caught."""
        if self._refusal is not None:
            raise self._refusal

    def end(self) -> None:
        """Check that the revision has executed all statements that the journal has."""
        self.check()

        if not self.is_done:
            text = self._entries[self._position].text
            self.refuse(
                f"statement {self._position + 1} was [{_shorten(text)}], but is missing"
                " now"
            )

        if self.is_searching:
            self.refuse("no statement commits what was committed")

    def refuse(self, reason: str) -> t.NoReturn:
        self._refusal = ResumeError(self._partial, reason)
        raise self._refusal

    def _run_again(self, recorded: Entry, run: c.Callable[[], None]) -> None:
        """Execute a statement that has only read, unless it turns out to write."""
        before = self._count_writes(recorded)
        is_separate = is_autocommit(self._connection)

        if is_separate:
            self._connection.exec_driver_sql("START TRANSACTION")

        try:
            run()
        except self._connection.dialect.loaded_dbapi.Error as e:
            if not is_separate or not refuses_transactions(e):
                raise

            self._connection.exec_driver_sql("ROLLBACK")
            run()

        has_written = self._count_writes(recorded) != before

        if is_separate or has_written:
            self._connection.exec_driver_sql("ROLLBACK")

        if has_written:
            self._refuse_rows(recorded)

    def _count_writes(self, recorded: Entry) -> int:
        if not recorded.has_rows:
            return 0

        return count_commands(self._connection, *_WRITING)

    def _refuse_rows(self, recorded: Entry) -> t.NoReturn:
        self.refuse(
            f"statement {self._position} [{_shorten(recorded.text)}] has returned"
            " rows, which are not recorded"
        )

    def _raise_again(self, error: list[t.Any], cursor: t.Any) -> None:
        code, message = error
        cursor.execute(
            "SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = %s, MESSAGE_TEXT = %s",
            (code, message[:_MAX_MESSAGE]),
        )

    def _compare_rows(self, recorded: Entry, cursor: t.Any) -> None:
        if recorded.kind == NEUTRAL and cursor.rowcount != recorded.rowcount:
            self.refuse(
                f"statement {self._position} [{_shorten(recorded.text)}] had"
                f" {recorded.rowcount} rows, but has {cursor.rowcount} now"
            )

    def _unlock(self, cursor: t.Any) -> None:
        # UNLOCK TABLES commits, so it is skipped. LOCK TABLES may not be.
        if cursor.description is None:
            self._connection.exec_driver_sql("UNLOCK TABLES")

    def _check_temporary_tables(self) -> None:
        # All that has created others is skipped.
        if self._count_temporary_tables() != self._temporary:
            self.refuse("it has used a temporary table, whose rows are lost")

    def _count_temporary_tables(self) -> int:
        return count_commands(
            self._connection, "create_table", "create_temporary_table"
        )


def is_already_applied(error: BaseException) -> bool:
    """Return whether a driver's error says that what a statement does is done."""
    code, message = (*error.args, None, "")[:2]
    is_duplicate = code == _CANNOT_CREATE and _DUPLICATE_KEY in str(message)
    return code in _ALREADY_APPLIED or is_duplicate


def _set_counts(context: t.Any, recorded: Entry) -> None:
    """Give the result of a statement that is not executed the counts that it had."""
    # There's no public way to set it.
    context._rowcount = recorded.rowcount
    context.get_lastrowid = lambda: recorded.lastrowid


def _shorten(text: str) -> str:
    return " ".join(text.split())[:200]
