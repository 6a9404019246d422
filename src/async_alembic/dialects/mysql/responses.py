"""What the server says of a connection's transaction in its responses and errors."""

from __future__ import annotations

import collections.abc as c
import contextlib
import functools
import typing as t

from sqlalchemy.exc import DBAPIError

from ..copies import changed_dialect

if t.TYPE_CHECKING:
    import sqlalchemy as sa

#: SERVER_STATUS_IN_TRANS.
_IN_TRANSACTION = 1
#: "Table was not locked with LOCK TABLES" and "conflicting read lock".
_LOCKED = {1099, 1100, 1223}
#: The errors of statements that are not possible in a transaction, such as SET
#: TRANSACTION and SET sql_log_bin.
_NOT_IN_TRANSACTION = {1568, 1679, 1685, 1694, 1695, 1766}


class Responses:
    """The status in the last response to a connection.

    :param connection: The connection, with its original dialect.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._dialect = connection.dialect
        self._calls = 0

    @property
    def _driver_connection(self) -> t.Any:
        return self._connection.connection.driver_connection

    @property
    def is_autocommit(self) -> bool:
        """Whether each statement is committed by itself."""
        return is_autocommit(self._connection)

    @property
    def is_in_transaction(self) -> bool:
        """Whether a transaction is open, if the response has no rows."""
        if not self._has_status:
            return self._ask_without_status()

        return bool(self._driver_connection.server_status & _IN_TRANSACTION)

    def forget(self) -> None:
        """Forget the status, as asyncmy keeps the last one if the next is 0."""
        if self._has_status:
            self._driver_connection.server_status &= ~_IN_TRANSACTION

    def ask(self) -> bool:
        """Return whether a transaction is open. Errors and rows don't say so."""
        if self._has_status:
            self.forget()
            self._execute("DO 0")

        return self.is_in_transaction

    def has_called(self) -> bool:
        """Return whether a procedure was called since the last time."""
        # It is no statement of the revision.
        with changed_dialect(self._connection, do_execute=self._dialect.do_execute):
            before = self._calls
            self._calls = count_commands(self._connection, "call_procedure")

        return self._calls > before

    @property
    def _has_status(self) -> bool:
        # mysqlclient and others keep it to themselves.
        return hasattr(self._driver_connection, "server_status")

    def _ask_without_status(self) -> bool:
        try:
            # The default. It is refused in a transaction.
            self._execute("SET TRANSACTION READ WRITE")
        except self._dialect.loaded_dbapi.Error as e:
            if not refuses_transactions(e):
                raise

            return True

        return False

    def _execute(self, statement: str) -> None:
        with contextlib.closing(self._connection.connection.cursor()) as cursor:
            self._dialect.do_execute(t.cast("t.Any", cursor), statement, ())


def is_autocommit(connection: sa.Connection) -> bool:
    """Return whether each statement of a connection is committed by itself."""
    driver_connection: t.Any = connection.connection.driver_connection
    ask = getattr(driver_connection, "get_autocommit", None)
    # mysql-connector and mariadb have a property.
    return bool(ask() if ask else driver_connection.autocommit)


def count_commands(connection: sa.Connection, *commands: str) -> int:
    """Return how often a session has executed some commands, also in procedures.

    :param commands: Their names, as in the server's status variables.
    """
    names = ", ".join(f"'Com_{command}'" for command in commands)
    rows = connection.exec_driver_sql(
        f"SHOW SESSION STATUS WHERE Variable_name IN ({names})"
    )
    return sum(int(value) for _, value in rows)


def is_locked(error: DBAPIError) -> bool:
    """Return whether a table cannot be written until other tables are unlocked."""
    return error.orig is not None and error.orig.args[0] in _LOCKED


def refuses_transactions(error: BaseException) -> bool:
    """Return whether a statement is not possible in a transaction."""
    return error.args[0] in _NOT_IN_TRANSACTION


def executing_by(
    connection: sa.Connection, execute: c.Callable[..., None]
) -> contextlib.AbstractContextManager[None]:
    """Make a connection execute statements by a function.

    :param execute: Takes what executes a statement, as a method of the dialect does,
        and its arguments.
    """
    methods = {
        name: functools.partial(
            execute,
            functools.partial(_read_all, connection, getattr(connection.dialect, name)),
        )
        for name in ("do_execute", "do_execute_no_params", "do_executemany")
    }
    return changed_dialect(connection, **methods)


def _read_all(
    connection: sa.Connection, method: c.Callable[..., None], *args: t.Any, **kw: t.Any
) -> None:
    """Execute a statement, and read the results that follow the first one, as those of
    a procedure. SQLAlchemy would only log an error in them.
    """
    method(*args, **kw)
    driver_connection: t.Any = connection.connection.driver_connection

    # There's no public way to know, and a cursor would lose its rows. Rows that are
    # streamed have not been read.
    while getattr(getattr(driver_connection, "_result", None), "has_next", False):
        if connection.dialect.is_async:
            adapted: t.Any = connection.connection.dbapi_connection
            adapted.run_async(lambda driver: driver.next_result())
        else:
            driver_connection.next_result()
