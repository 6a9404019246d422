"""Statements on asyncpg, with literals in them."""

from __future__ import annotations

import collections.abc as c
import contextlib
import re
import typing as t

import sqlalchemy as sa

from .literals import literal
from .splitting import split
from .splitting import Statement

#: How many characters of statements to send at once, about.
BATCH = 100_000

_placeholder = re.compile(r"%(?:%|\((?P<name>[^)]*)\)s)")
_single_percent = re.compile(r"(?<!%)(?:%%)*%(?!%)")
#: What ends the name of a parameter that SQLAlchemy has made for one of many rows.
_row_number = re.compile(r"__\d+\Z")
_manipulates = {"INSERT", "UPDATE", "DELETE", "MERGE"}
_returns_nothing = {
    *("ABORT", "ALTER", "ANALYZE", "BEGIN", "CHECKPOINT", "CLOSE", "CLUSTER"),
    *("COMMENT", "COMMIT", "CREATE", "DEALLOCATE", "DECLARE", "DISCARD", "DO", "DROP"),
    *("END", "GRANT", "IMPORT", "LISTEN", "LOAD", "LOCK", "MOVE", "NOTIFY", "PREPARE"),
    *("REASSIGN", "REFRESH", "REINDEX", "RELEASE", "RESET", "REVOKE", "ROLLBACK"),
    *("SAVEPOINT", "SECURITY", "SET", "START", "TRUNCATE", "UNLISTEN", "VACUUM"),
}


class AsyncpgBinding:
    """How statements are executed on asyncpg.

    What returns no rows is sent by the simple protocol, which takes several statements,
    needs no preparation, and would drop rows
    (https://www.postgresql.org/docs/current/protocol-flow.html).

    :param connection: A connection whose dialect is still its own.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._native = connection.dialect

    def execute(
        self,
        cursor: t.Any,
        statement: str,
        parameters: t.Any,
        context: t.Any = None,
    ) -> None:
        if isinstance(parameters, tuple) and parameters:
            # The user wrote '$1', as the driver itself takes it.
            self._native.do_execute(cursor, statement, parameters, context)
            return

        text, arguments = self._bind(statement, parameters or {}, context)

        if not arguments:
            self._execute_text(cursor, text, context)
            return

        # The server takes one statement with parameters at a time.
        *before, last = split(statement, backslashes=self._backslashes)

        for each in before:
            with contextlib.closing(self._adapted.cursor()) as other:
                self.execute(other, each.text, parameters, context)

        text, arguments = self._bind(last.text, parameters, context)
        self._native.do_execute(cursor, text, tuple(arguments), context)

    def execute_as_it_is(
        self, cursor: t.Any, statement: str, context: t.Any = None
    ) -> None:
        self._execute_text(cursor, statement, context)

    def execute_many(
        self,
        cursor: t.Any,
        statement: str,
        parameters: c.Sequence[t.Any],
        context: t.Any = None,
    ) -> None:
        if isinstance(parameters[0], tuple):
            self._native.do_executemany(cursor, statement, parameters, context)
            return

        batch: list[str] = []

        def send() -> None:
            if batch:
                self._send("\n;\n".join(batch))
                batch.clear()

        for row in parameters:
            text, arguments = self._bind(statement, row, context)

            if arguments:
                send()
                self._native.do_execute(cursor, text, tuple(arguments), context)
            else:
                batch.append(text)

            if sum(map(len, batch)) > BATCH:
                send()

        send()

    def _bind(
        self, statement: str, parameters: c.Mapping[str, t.Any], context: t.Any
    ) -> tuple[str, list[t.Any]]:
        """Put literals into a statement, and numbers for what has none."""
        is_compiled = context is None or context.compiled is not None

        if not is_compiled and not parameters and _single_percent.search(statement):
            # psycopg2 wants '%%' there.
            return statement, []

        arguments: list[t.Any] = []

        def replace(found: re.Match[str]) -> str:
            name = found["name"]

            if name is None:
                return "%"

            value = parameters[name]
            text = literal(value, self._native, backslashes=self._backslashes)

            if text is None:
                arguments.append(value)
                text = f"${len(arguments)}{self._cast(name, value, context)}"

            return text

        return _placeholder.sub(replace, statement), arguments

    def _cast(self, name: str, value: t.Any, context: t.Any) -> str:
        binds = getattr(getattr(context, "compiled", None), "binds", {})
        bind = binds.get(name)
        bind = binds.get(_row_number.sub("", name)) if bind is None else bind
        type_ = sa.types.NullType() if bind is None else bind.type

        if isinstance(type_, sa.types.NullType) and not isinstance(value, str):
            type_ = sa.literal(value).type

        if isinstance(type_, sa.types.NullType):
            # The server finds out.
            return ""

        return f"::{type_.compile(self._native)}"

    def _execute_text(self, cursor: t.Any, text: str, context: t.Any) -> None:
        statements = split(text, backslashes=self._backslashes)

        if statements and not _returns_rows(statements[-1]):
            status = self._send(text)

            if context is not None:
                cursor.close()
                context.cursor = _Done(status)

            if statements[0].words[:1] and statements[0].words[0] not in _manipulates:
                # What was prepared for the tables as they were is of no use now.
                t.cast("t.Any", context.dialect)._invalidate_schema_cache()

            return

        if len(statements) > 1:
            self._send("\n;\n".join(s.text for s in statements[:-1]))
            text = statements[-1].text

        self._native.do_execute(cursor, text, (), context)

    def _send(self, text: str) -> str:
        """Send statements, and forget their rows.

        :return: The command tag of the last one, such as ``"UPDATE 1"``.
        """
        adapted = self._adapted

        if not adapted.driver_connection.is_in_transaction() and not adapted.autocommit:
            # There is no public way to begin the transaction but to execute something.
            with contextlib.closing(adapted.cursor()) as cursor:
                self._native.do_execute(cursor, "SELECT 1", ())

        try:
            return t.cast("str", adapted.run_async(lambda driver: driver.execute(text)))
        except Exception as e:
            # There's no public way to raise it as the error of the DBAPI that it is.
            adapted._handle_exception(e)
            raise

    @property
    def _adapted(self) -> t.Any:
        return self._connection.connection.dbapi_connection

    @property
    def _backslashes(self) -> bool:
        settings = self._adapted.driver_connection.get_settings()
        return bool(settings.standard_conforming_strings == "off")


class _Done:
    """The cursor of a statement that has returned no rows.

    :param status: Its command tag, such as ``"UPDATE 1"``.
    """

    description: t.ClassVar[None] = None
    arraysize = 1

    def __init__(self, status: str) -> None:
        count = status.rpartition(" ")[2]
        self.rowcount = int(count) if count.isdigit() else -1

    def close(self) -> None: ...


def _returns_rows(statement: Statement) -> bool:
    first = next(iter(statement.words), "")

    if first in _manipulates:
        return "RETURNING" in statement.words

    return first not in _returns_nothing
