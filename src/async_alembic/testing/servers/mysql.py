from __future__ import annotations

import contextlib
import typing as t

from sqlalchemy.exc import DBAPIError

from ...errors import FreshDatabaseError
from ..server_connection import ServerConnection
from .base import PREFIX
from .base import Server
from .mysql_dump import dump_database
from .mysql_dump import quote

if t.TYPE_CHECKING:
    import sqlalchemy as sa

_SYSTEM_DATABASES = {"information_schema", "mysql", "performance_schema", "sys"}
#: Seconds that the session may be idle.
_WAIT_TIMEOUT = 2147483
#: How many processes a run can have, as each one takes a lock of its own.
_MAX_PROCESSES = 100
#: The table in a template that has the statements to recreate it.
_DUMP_TABLE = "async_alembic_record"


class MySQLServer(Server):
    """Copies by executing the statements that recreate a template. Rows are copied
    within the server.

    Only one session can hold a named lock, so each process of a run takes its own.
    """

    def open(self) -> None:
        self._connection = ServerConnection(self.url)
        self._dumps: dict[str, list[str]] = {}
        self._refuse_database_with_tables()
        self._connection.execute(f"SET SESSION wait_timeout = {_WAIT_TIMEOUT}")
        self._connection.execute("SET SESSION foreign_key_checks = 0")
        # Some drivers log notes.
        self._connection.execute("SET SESSION sql_notes = 0")
        self._connection.execute("SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'")
        self._slot = next(
            slot
            for slot in range(_MAX_PROCESSES)
            if self._try_lock(f"{PREFIX}{self.run}_{slot}")
        )

    def _refuse_database_with_tables(self) -> None:
        [(name,)] = self._connection.execute("SELECT DATABASE()")

        if name is None or name in _SYSTEM_DATABASES or name.startswith(PREFIX):
            return

        if self._connection.execute(f"SHOW TABLES IN {quote(name)}"):
            self._connection.close()
            raise FreshDatabaseError.not_empty(name)

    def _try_lock(self, lock: str) -> bool:
        return self._connection.execute(f"SELECT GET_LOCK('{lock}', 0)") == [(1,)]

    def release_run_lock(self) -> None:
        self._connection.execute(
            f"SELECT RELEASE_LOCK('{PREFIX}{self.run}_{self._slot}')"
        )

    def close(self) -> None:
        self._connection.close()

    def try_template_lock(self) -> bool:
        return self._try_lock(f"{PREFIX}templates")

    def release_template_lock(self) -> None:
        self._connection.execute(f"SELECT RELEASE_LOCK('{PREFIX}templates')")

    def is_alive(self, run: str) -> bool:
        locks = (
            f"IS_USED_LOCK('{PREFIX}{run}_{slot}')" for slot in range(_MAX_PROCESSES)
        )
        return self._connection.execute(f"SELECT COALESCE({', '.join(locks)})") != [
            (None,)
        ]

    def version(self) -> str:
        [(version,)] = self._connection.execute("SELECT VERSION()")
        return f"MySQL {version}"

    def url_of(self, name: str) -> sa.URL:
        return self.url.set(database=name)

    def database_names(self) -> list[str]:
        rows = self._connection.execute(
            "SELECT schema_name FROM information_schema.schemata"
            f" WHERE LEFT(schema_name, {len(PREFIX)}) = '{PREFIX}'"
        )
        return [name for (name,) in rows]

    def create(self, name: str) -> None:
        self._connection.execute(f"CREATE DATABASE {quote(name)}")

    def drop(self, name: str) -> None:
        # DROP DATABASE waits for transactions of other sessions.
        for (session,) in self._connection.execute(
            "SELECT id FROM information_schema.processlist WHERE db = :name"
            " AND id <> CONNECTION_ID()",
            name=name,
        ):
            with contextlib.suppress(DBAPIError):
                self._connection.execute(f"KILL {session}")

        self._connection.execute(f"DROP DATABASE IF EXISTS {quote(name)}")

    def has_template(self, name: str) -> bool:
        if not self._connection.execute(
            "SELECT 1 FROM information_schema.tables"
            f" WHERE table_schema = :name AND table_name = '{_DUMP_TABLE}'",
            name=name,
        ):
            return False

        # An empty last row marks the dump as complete.
        return bool(
            self._connection.execute(
                f"SELECT 1 FROM {quote(name)}.`{_DUMP_TABLE}` WHERE text = ''"
            )
        )

    def publish(self, source: str, template: str) -> None:
        statements = dump_database(self._connection, source)
        self._execute(statements, source, template)
        self._connection.execute(
            f"CREATE TABLE {quote(template)}.`{_DUMP_TABLE}`"
            " (number INT PRIMARY KEY, text LONGTEXT NOT NULL) CHARACTER SET utf8mb4"
        )

        for number, text in enumerate([*statements, ""]):
            self._connection.execute(
                f"INSERT INTO {quote(template)}.`{_DUMP_TABLE}`"
                " VALUES (:number, :text)",
                number=number,
                text=text,
            )

        self.drop(source)

    def copy(self, template: str, name: str) -> None:
        if template not in self._dumps:
            rows = self._connection.execute(
                f"SELECT text FROM {quote(template)}.`{_DUMP_TABLE}` ORDER BY number"
            )
            self._dumps[template] = [text for (text,) in rows if text]

        self._execute(self._dumps[template], template, name)

    def _execute(self, statements: list[str], source: str, name: str) -> None:
        for statement in statements:
            self._connection.execute(statement.format(source=source, name=name))
