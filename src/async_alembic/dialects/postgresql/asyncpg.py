"""Executes statements with literals on asyncpg."""

from __future__ import annotations

import collections.abc as c
import contextlib
import itertools
import re
import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ..migrated import listening
from .asyncpg_errors import psycopg2_errors
from .literals import literal
from .server_cursors import can_be_declared
from .server_cursors import ServerCursor
from .splitting import NO_COPY
from .splitting import split
from .splitting import Statement
from .version_writes import VersionWrites

if t.TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

#: About how many characters of statements to send at once.
MAX_BATCH = 100_000

_placeholder = re.compile(r"%(?:%|\((?P<name>[^)]*)\)s)")
_position = re.compile(r"%(?:%|(?P<position>s))")
_single_percent = re.compile(r"(?<!%)(?:%%)*%(?!%)")
#: The suffix that SQLAlchemy gives to the parameters of each of many rows.
_row_number = re.compile(r"__\d+\Z")
_DML = {"INSERT", "UPDATE", "DELETE", "MERGE"}
_WITHOUT_ROWS = {
    *("ABORT", "ALTER", "ANALYZE", "BEGIN", "CHECKPOINT", "CLOSE", "CLUSTER"),
    *("COMMENT", "COMMIT", "CREATE", "DEALLOCATE", "DECLARE", "DISCARD", "DO", "DROP"),
    *("END", "GRANT", "IMPORT", "LISTEN", "LOAD", "LOCK", "MOVE", "NOTIFY", "PREPARE"),
    *("REASSIGN", "REFRESH", "REINDEX", "RELEASE", "RESET", "REVOKE", "ROLLBACK"),
    *("SAVEPOINT", "SECURITY", "SET", "START", "TRUNCATE", "UNLISTEN", "VACUUM"),
}


class AsyncpgBinding:
    """Executes statements on asyncpg.

    Statements without rows use the simple protocol, which accepts several statements,
    needs no preparation, and would drop rows
    (https://www.postgresql.org/docs/current/protocol-flow.html).

    :param connection: A connection with its original dialect.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._original = connection.dialect
        self._versions = VersionWrites(self._send)

    @contextlib.contextmanager
    def installed(self, dialect: t.Any) -> c.Iterator[None]:
        """Make the connection execute statements like this.

        :param dialect: A copy of its dialect.
        """
        dialect.do_execute = self.execute
        dialect.do_execute_no_params = self.execute_no_params
        dialect.do_executemany = self.execute_many
        self._connection.dialect = dialect

        def flush(connection: sa.Connection) -> None:
            with self._sqlalchemy_errors():
                self._versions.flush()

        def discard(connection: sa.Connection) -> None:
            self._versions.discard()

        with listening(self._connection, {"commit": flush, "rollback": discard}):
            yield

    def execute(
        self,
        cursor: t.Any,
        statement: str,
        parameters: t.Any,
        context: t.Any = None,
    ) -> None:
        if isinstance(parameters, tuple) and parameters:
            if not _has_positional(statement):
                # The user wrote '$1', the driver's own style.
                self._query(cursor, Statement(statement), parameters, context)
                return

            statement, parameters = _to_named(statement, parameters)

        named: dict[str, t.Any] = dict(parameters or {})
        text, arguments = self._bind(statement, named, context)

        if not arguments:
            self._execute_text(cursor, text, context)
            return

        # With parameters, the server accepts one statement at a time.
        statements = split(statement, backslashes=self._backslashes)
        self._reject_copy(statements)
        *before, last = statements

        for each in before:
            text, arguments = self._bind(each.text, named, context)

            if arguments:
                self._execute_apart(text, tuple(arguments)).close()
            else:
                self._send(self._versions.prepend_to(text))

        text, arguments = self._bind(last.text, named, context)
        bound = Statement(text, self._backslashes)
        self._query(cursor, bound, tuple(arguments), context)

    def execute_no_params(
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
            if not _has_positional(statement):
                cursor = self._client_side(cursor, context)

                with psycopg2_errors(self._original.loaded_dbapi):
                    self._original.do_executemany(
                        cursor, statement, parameters, context
                    )

                return

            parameters = [_to_named(statement, row)[1] for row in parameters]
            statement, _ = _to_named(statement, ())

        cursor = self._client_side(cursor, context)
        batch: list[str] = []

        def send() -> None:
            if batch:
                self._send(self._versions.prepend_to("\n;\n".join(batch)))
                batch.clear()

        for row in parameters:
            text, arguments = self._bind(statement, row, context)

            if arguments:
                send()
                self._execute_natively(cursor, text, tuple(arguments), context)
            else:
                batch.append(text)

            if sum(map(len, batch)) > MAX_BATCH:
                send()

        send()

    def _query(
        self,
        cursor: t.Any,
        statement: Statement,
        arguments: tuple[t.Any, ...],
        context: t.Any,
    ) -> None:
        """Execute a statement that may return rows: those of the cursor."""
        if cursor.server_side and can_be_declared(statement):
            cursor.close()
            context.cursor = ServerCursor(
                self._execute_apart,
                lambda: self._in_transaction,
                self._original.loaded_dbapi.Error,
                statement.text,
                arguments,
            )
            return

        cursor = self._client_side(cursor, context)
        self._execute_natively(cursor, statement.text, arguments, context)

    def _client_side(self, cursor: t.Any, context: t.Any) -> t.Any:
        """Replace a server-side cursor by one that fetches all rows at once."""
        if cursor.server_side:
            cursor.close()
            context.cursor = cursor = self._adapted.cursor()

        return cursor

    def _execute_apart(self, text: str, arguments: tuple[t.Any, ...]) -> t.Any:
        """Execute a statement on a cursor of its own, which is returned."""
        cursor = self._adapted.cursor()
        self._execute_natively(cursor, text, arguments, None)
        return cursor

    def _execute_natively(
        self, cursor: t.Any, text: str, arguments: tuple[t.Any, ...], context: t.Any
    ) -> None:
        self._versions.flush()

        with psycopg2_errors(self._original.loaded_dbapi):
            self._original.do_execute(cursor, text, arguments, context)

    @contextlib.contextmanager
    def _sqlalchemy_errors(self) -> c.Iterator[None]:
        """Raise errors as SQLAlchemy's, which does not do so before a commit."""
        dbapi: t.Any = self._original.loaded_dbapi

        try:
            yield
        except dbapi.Error as e:
            raise DBAPIError.instance(
                "COMMIT",
                None,
                e,
                dbapi.Error,
                connection_invalidated=self._original.is_disconnect(
                    e, self._adapted, None
                ),
                dialect=self._original,
            ) from e

    def _bind(
        self, statement: str, parameters: c.Mapping[str, t.Any], context: t.Any
    ) -> tuple[str, list[t.Any]]:
        """Replace parameters by literals, or by numbers where there is no literal."""
        is_compiled = context is None or context.compiled is not None

        if not is_compiled and not parameters and _single_percent.search(statement):
            # psycopg2 would require '%%'.
            return statement, []

        arguments: list[t.Any] = []

        def replace(found: re.Match[str]) -> str:
            name = found["name"]

            if name is None:
                return "%"

            value = parameters[name]
            text = literal(value, self._original, backslashes=self._backslashes)

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
            type_ = _type_of(value)

        if isinstance(type_, sa.types.NullType):
            # Let the server infer the type.
            return ""

        return f"::{type_.compile(self._original)}"

    def _execute_text(self, cursor: t.Any, text: str, context: t.Any) -> None:
        if self._in_transaction and self._versions.defer(text, context):
            cursor.close()
            context.cursor = _FinishedCursor("UPDATE 1")
            return

        statements = split(text, backslashes=self._backslashes)
        self._reject_copy(statements)

        if statements and not _returns_rows(statements[-1]):
            status = self._send(self._versions.prepend_to(text))

            if context is not None:
                cursor.close()
                context.cursor = _FinishedCursor(status)

            if statements[0].first_word not in _DML:
                # Prepared statements for the old tables are no longer valid.
                dialect: t.Any = self._connection.dialect
                dialect._invalidate_schema_cache()

            return

        if len(statements) > 1:
            before = "\n;\n".join(s.text for s in statements[:-1])
            self._send(self._versions.prepend_to(before))

        last = statements[-1] if statements else Statement(text)
        self._query(cursor, last, (), context)

    def _send(self, text: str) -> str:
        """Send statements, and discard their rows.

        :return: The command tag of the last statement, such as ``"UPDATE 1"``.
        """
        adapted = self._adapted

        if not self._in_transaction and not adapted.autocommit:
            # Executing a statement is the only public way to begin the transaction.
            self._execute_apart("SELECT 1", ()).close()

        with psycopg2_errors(self._original.loaded_dbapi):
            try:
                status = adapted.run_async(lambda driver: driver.execute(text))
            except Exception as e:
                # There's no public way to convert it to the DBAPI's error.
                adapted._handle_exception(e)
                raise

        return t.cast("str", status)

    def _reject_copy(self, statements: c.Iterable[Statement]) -> None:
        if any(statement.is_copy for statement in statements):
            # The driver would wait forever.
            dbapi: t.Any = self._original.loaded_dbapi
            raise dbapi.NotSupportedError(NO_COPY)

    @property
    def _in_transaction(self) -> bool:
        return bool(self._adapted.driver_connection.is_in_transaction())

    @property
    def _adapted(self) -> t.Any:
        return self._connection.connection.dbapi_connection

    @property
    def _backslashes(self) -> bool:
        settings = self._adapted.driver_connection.get_settings()
        return bool(settings.standard_conforming_strings == "off")


class _FinishedCursor:
    """The cursor of an executed statement without rows.

    :param status: The command tag, such as ``"UPDATE 1"``.
    """

    description: t.ClassVar[None] = None
    arraysize = 1

    def __init__(self, status: str) -> None:
        count = status.rpartition(" ")[2]
        self.rowcount = int(count) if count.isdigit() else -1

    def fetchmany(self, size: int | None = None) -> list[t.Any]:
        return []

    def close(self) -> None: ...


def _type_of(value: object) -> TypeEngine[t.Any]:
    if not isinstance(value, list):
        return sa.literal(value).type

    types = [_type_of(item) for item in value if item is not None]
    known = [type_ for type_ in types if not isinstance(type_, sa.types.NullType)]
    return sa.ARRAY(known[0]) if known else sa.types.NullType()


def _has_positional(statement: str) -> bool:
    return any(found["position"] for found in _position.finditer(statement))


def _to_named(
    statement: str, parameters: c.Sequence[t.Any]
) -> tuple[str, dict[str, t.Any]]:
    """Convert a statement and its parameters from ``%s`` to ``%(name)s``."""
    numbers = itertools.count()
    text = _position.sub(
        lambda found: f"%({next(numbers)})s" if found["position"] else found[0],
        statement,
    )
    return text, {str(i): value for i, value in enumerate(parameters)}


def _returns_rows(statement: Statement) -> bool:
    if statement.first_word in _DML:
        may_return = "RETURNING" in statement.text.upper()
        return may_return and "RETURNING" in statement.words

    return statement.first_word not in _WITHOUT_ROWS
