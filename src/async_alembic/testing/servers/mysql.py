from __future__ import annotations

import contextlib
import typing as t

from sqlalchemy.exc import DBAPIError

from ...errors import FreshDatabaseError
from ..server_connection import ServerConnection
from .base import PREFIX
from .base import Server
from .mysql_record import read_record

if t.TYPE_CHECKING:
    import sqlalchemy as sa

_SYSTEM = {"information_schema", "mysql", "performance_schema", "sys"}
#: In seconds: how long a session may be idle.
_WAIT_TIMEOUT = 2147483
#: How many processes a run can have.
_SLOTS = 100
_RECORD = "async_alembic_record"


class MySQLServer(Server):
    """Replays the statements that make a database's tables, recorded from the one that
    was migrated. Its rows are copied within the server.

    There is one holder of a named lock, so each process takes one of several.
    """

    def open(self) -> None:
        self._connection = ServerConnection(self.url)
        self._records: dict[str, list[str]] = {}
        self._refuse_others()
        self._connection.execute(f"SET SESSION wait_timeout = {_WAIT_TIMEOUT}")
        self._connection.execute("SET SESSION foreign_key_checks = 0")
        # Some drivers log them.
        self._connection.execute("SET SESSION sql_notes = 0")
        self._connection.execute("SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'")
        self._slot = next(
            slot for slot in range(_SLOTS) if self._take(f"{PREFIX}{self.run}_{slot}")
        )

    def _refuse_others(self) -> None:
        [(name,)] = self._connection.execute("SELECT DATABASE()")

        if name is None or name in _SYSTEM or name.startswith(PREFIX):
            return

        if self._connection.execute(f"SHOW TABLES IN `{name}`"):
            self._connection.close()
            raise FreshDatabaseError.not_empty(name)

    def _take(self, lock: str) -> bool:
        return self._connection.execute(f"SELECT GET_LOCK('{lock}', 0)") == [(1,)]

    def leave(self) -> None:
        self._connection.execute(
            f"SELECT RELEASE_LOCK('{PREFIX}{self.run}_{self._slot}')"
        )

    def close(self) -> None:
        self._connection.close()

    def try_lock(self) -> bool:
        return self._take(f"{PREFIX}templates")

    def unlock(self) -> None:
        self._connection.execute(f"SELECT RELEASE_LOCK('{PREFIX}templates')")

    def is_alive(self, run: str) -> bool:
        locks = (f"IS_USED_LOCK('{PREFIX}{run}_{slot}')" for slot in range(_SLOTS))
        return self._connection.execute(f"SELECT COALESCE({', '.join(locks)})") != [
            (None,)
        ]

    def version(self) -> str:
        [(version,)] = self._connection.execute("SELECT VERSION()")
        return f"MySQL {version}"

    def url_of(self, name: str) -> sa.URL:
        return self.url.set(database=name)

    def names(self) -> list[str]:
        rows = self._connection.execute(
            "SELECT schema_name FROM information_schema.schemata"
            f" WHERE LEFT(schema_name, {len(PREFIX)}) = '{PREFIX}'"
        )
        return [name for (name,) in rows]

    def create(self, name: str) -> None:
        self._connection.execute(f"CREATE DATABASE `{name}`")

    def drop(self, name: str) -> None:
        # One that is in a transaction would be waited for.
        for (session,) in self._connection.execute(
            "SELECT id FROM information_schema.processlist WHERE db = :name"
            " AND id <> CONNECTION_ID()",
            name=name,
        ):
            with contextlib.suppress(DBAPIError):
                self._connection.execute(f"KILL {session}")

        self._connection.execute(f"DROP DATABASE IF EXISTS `{name}`")

    def has_template(self, name: str) -> bool:
        if not self._connection.execute(
            "SELECT 1 FROM information_schema.tables"
            f" WHERE table_schema = '{name}' AND table_name = '{_RECORD}'"
        ):
            return False

        # The last row is empty.
        return bool(
            self._connection.execute(
                f"SELECT 1 FROM `{name}`.`{_RECORD}` WHERE text = ''"
            )
        )

    def publish(self, built: str, template: str) -> None:
        record = read_record(self._connection, built)
        self._replay(record, built, template)
        self._connection.execute(
            f"CREATE TABLE `{template}`.`{_RECORD}`"
            " (number INT PRIMARY KEY, text LONGTEXT NOT NULL) CHARACTER SET utf8mb4"
        )

        for number, text in enumerate([*record, ""]):
            self._connection.execute(
                f"INSERT INTO `{template}`.`{_RECORD}` VALUES (:number, :text)",
                number=number,
                text=text,
            )

        self.drop(built)

    def copy(self, template: str, name: str) -> None:
        if template not in self._records:
            rows = self._connection.execute(
                f"SELECT text FROM `{template}`.`{_RECORD}` ORDER BY number"
            )
            self._records[template] = [text for (text,) in rows if text]

        self._replay(self._records[template], template, name)

    def _replay(self, record: list[str], source: str, name: str) -> None:
        for statement in record:
            self._connection.execute(statement.format(source=source, name=name))
