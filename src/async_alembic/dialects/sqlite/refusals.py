"""Statements that SQLite refuses, or ignores, within a transaction."""

from __future__ import annotations

import collections.abc as c
import contextlib
import re
import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from ...errors import AsyncAlembicError
from ..copies import changed_dialect
from .driver import is_blocked
from .driver import pragma
from .tokens import fold
from .tokens import NotUnderstoodError
from .tokens import tokens

#: The settings that SQLite does not change within a transaction, without an error.
_IGNORED = {"foreign_keys", "journal_mode"}

_refused_in_transaction = re.compile(r"(within|inside) a? ?transaction")
_refused_begin = re.compile("cannot start a transaction")


class IgnoredSetting(t.NamedTuple):
    """A ``PRAGMA`` that does nothing within a transaction.

    :param name: The folded name.
    :param text: How it is asked for its value, such as ``main.journal_mode``.
    :param value: The folded new value.
    """

    name: str
    text: str
    value: str

    def check(self, connection: sa.Connection) -> None:
        """Check that the setting has this value. Foreign keys are left out, as they are
        checked before the commit.

        :raises AsyncAlembicError: If it has not.
        """
        found = pragma(connection, self.text) if self.name == "journal_mode" else []

        if found and found[0][0] != self.value:
            raise AsyncAlembicError(
                f"'PRAGMA {self.text}' does nothing within a transaction. Use 'with"
                " op.get_context().autocommit_block():'"
            )


def find_ignored(statement: str) -> IgnoredSetting | None:
    """Return what a statement sets, if SQLite ignores that within a transaction."""
    try:
        # Most statements are longer, and are none.
        found = tokens(statement) if "pragma" in statement.lower() else []
    except NotUnderstoodError:
        return None

    words = [fold(token.name or token.text) for token in found]

    if words[:1] != ["pragma"]:
        return None

    place = 3 if words[2:3] == ["."] else 1
    name, assigns, value = [*words[place : place + 3], "", "", ""][:3]

    if name not in _IGNORED or assigns not in {"=", "("}:
        return None

    return IgnoredSetting(name, "".join(words[1 : place + 1]), value)


def is_refused(error: BaseException) -> bool:
    """Return whether SQLite refuses a statement because it is in a transaction: either
    it says so, or the transaction itself locks what the statement needs.
    """
    return bool(
        _refused_in_transaction.search(str(error))
        or is_blocked(error)
        or str(error).endswith(" is locked")
    )


class Attempts:
    """Executes the statements of a connection, within its transaction first.

    :param connection: A connection.
    :param leave: Takes an error, and returns whether it has left the transaction, so
        that the statement can be retried.
    """

    def __init__(
        self, connection: sa.Connection, leave: c.Callable[[BaseException], bool]
    ) -> None:
        self._connection = connection
        self._original = connection.dialect
        self._leave = leave
        # The error itself would keep cursors open, by its traceback.
        self._id_of_last_error: int | None = None

    def is_of_other(self, error: BaseException) -> bool:
        """Whether an error is that of another connection, which this one blocks, or for
        which the pool has no place.
        """
        if isinstance(error, PoolTimeoutError):
            return True

        original = getattr(error, "orig", error)
        dbapi: t.Any = self._original.dbapi
        return (
            id(original) != self._id_of_last_error
            and isinstance(original, dbapi.Error)
            and (is_blocked(original) or str(original).startswith("no such "))
        )

    @contextlib.contextmanager
    def use(self) -> c.Iterator[None]:
        """Execute statements this way."""
        self._original = self._connection.dialect

        with changed_dialect(
            self._connection,
            do_execute=self._execute,
            do_execute_no_params=self._execute_without_parameters,
        ):
            yield

    def _execute(
        self, cursor: t.Any, statement: str, parameters: t.Any, context: t.Any = None
    ) -> None:
        execute = self._original.do_execute

        try:
            execute(cursor, statement, parameters, context)
        except Exception as e:
            self._id_of_last_error = id(e)

            # Our own statements have no context.
            if context is None:
                raise

            if _refused_begin.match(str(e)):
                # It has begun.
                execute(cursor, "SELECT 1", ())
            elif self._leave(e):
                execute(cursor, statement, parameters, context)
            else:
                raise

    def _execute_without_parameters(
        self, cursor: t.Any, statement: str, context: t.Any = None
    ) -> None:
        self._execute(cursor, statement, (), context)
