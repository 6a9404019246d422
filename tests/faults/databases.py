"""Look into the databases, and empty them, past the package and past Alembic.

Each is reached through a plain connection of a blocking driver, which is the only one
that is not of the site.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
from abc import ABC
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from typing import cast
from typing import ClassVar
from typing import Self

import sqlalchemy as sa

from ..twins import dump

VERSION_TABLE = "alembic_version"
#: Where it is kept that a revision is half applied.
RECORD_TABLE = f"{VERSION_TABLE}_partial"
INVALID = " INVALID"


@dataclass(frozen=True)
class State:
    """All that is in a database.

    :param versions: What the version table says, or None where there is none.
    :param content: The definition of every other table, column, constraint and index,
        and every row.
    """

    versions: tuple[str, ...] | None
    content: frozenset[str]


class Database(ABC):
    """A database that several faults use one after another."""

    rolls_ddl_back: ClassVar[bool] = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def reset(self) -> None:
        """Make it as new. No connection of the site may be open."""

    @abstractmethod
    def state(self) -> State: ...

    def record(self) -> list[str | None]:
        """What is kept of a revision that is half applied: the statements of each
        transaction, or None where they are unknown.
        """
        return []

    @abstractmethod
    def unrest(self, allowed: int) -> list[str]:
        """What is still held or going on.

        :param allowed: How many idle connections there may be.
        """

    @abstractmethod
    def unsound(self, connection: sa.Connection) -> str | None:
        """What is wrong with a connection that the pool has just given."""

    @abstractmethod
    def evict(self) -> None:
        """End the connections that a fault has left."""

    def wait(self, allowed: int) -> list[str]:
        """Wait until all is quiet. Servers notice with a delay that a client has gone.

        :return: What is not, after two seconds.
        """
        deadline = time.monotonic() + 2
        pause = 0.001

        while (unrest := self.unrest(allowed)) and time.monotonic() < deadline:
            time.sleep(pause)
            pause = min(pause * 2, 0.05)

        return unrest


class SQLite(Database):
    def __init__(self, url: sa.URL) -> None:
        self._file = Path(url.database or "")

    def close(self) -> None: ...

    def reset(self) -> None:
        for path in self._file.parent.glob(f"{self._file.name}*"):
            path.unlink()

    def state(self) -> State:
        # It may be mended first, which needs no transaction of the app any more.
        lines = dump(self._file)

        with self._connect() as connection:
            broken = connection.execute("PRAGMA foreign_key_check").fetchall()
            tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
            versions = None

            if (VERSION_TABLE,) in tables:
                rows = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}")
                versions = tuple(sorted(row[0] for row in rows))

        lines = [line for line in lines if VERSION_TABLE not in line]
        lines += [f"broken {row}" for row in broken]
        return State(versions, frozenset(lines))

    def unrest(self, allowed: int) -> list[str]:
        with self._connect() as connection:
            try:
                connection.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                return [str(error)]

        return []

    def unsound(self, connection: sa.Connection) -> str | None:
        driver_connection: Any = connection.connection.driver_connection

        if driver_connection.in_transaction:
            return "it is in a transaction"

        if connection.exec_driver_sql("PRAGMA foreign_keys").scalar() != 1:
            return "its foreign keys are off"

        return None

    def evict(self) -> None: ...

    @contextlib.contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(sqlite3.connect(self._file, timeout=0)) as connection:
            connection.isolation_level = None
            yield connection


class Server(Database):
    """A database on a server.

    :param connection: A connection of the driver that commits by itself.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def close(self) -> None:
        self._connection.close()

    def _query(self, statement: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def _texts(self, statement: str) -> list[str]:
        return [cast("str", row[0]) for row in self._query(statement)]


class PostgreSQL(Server):
    _catalog = f"""
    SELECT format('column %s.%s %s %s %s', c.relname, a.attname,
        format_type(a.atttypid, a.atttypmod),
        CASE WHEN a.attnotnull THEN 'NOT NULL' END,
        pg_get_expr(d.adbin, d.adrelid))
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
        AND c.relname <> '{VERSION_TABLE}' AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT format('constraint %s %s %s', conrelid::regclass, conname,
        pg_get_constraintdef(oid))
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        AND conrelid::regclass::text <> '{VERSION_TABLE}'
    UNION ALL
    SELECT 'index ' || pg_get_indexdef(i.indexrelid)
        || CASE WHEN i.indisvalid THEN '' ELSE '{INVALID}' END
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relname <> '{VERSION_TABLE}'
    UNION ALL
    SELECT format('%s %s', relkind, relname) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind NOT IN ('i', 'r')
    """
    _others = """
    SELECT pid, state FROM pg_stat_activity WHERE backend_type = 'client backend'
        AND datname = current_database() AND pid <> pg_backend_pid()
    """
    _locks = """
    SELECT format('the lock %s, %s, held by %s', classid, objid, pid) FROM pg_locks
    WHERE locktype = 'advisory'
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """

    def __init__(self, url: sa.URL) -> None:
        import psycopg2

        text = url.set(drivername="postgresql").render_as_string(hide_password=False)
        super().__init__(psycopg2.connect(text))
        self._connection.autocommit = True
        self._query("SET lock_timeout = '5s'")

    def reset(self) -> None:
        self._query("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    def state(self) -> State:
        versions = None
        content = self._texts(self._catalog)
        listing = "SELECT relname FROM pg_class WHERE relkind = 'r'"
        listing += " AND relnamespace = 'public'::regnamespace"

        for table in self._texts(listing):
            rows = self._texts(f"SELECT t::text FROM {table} t")

            if table == VERSION_TABLE:
                versions = tuple(sorted(row.strip("()") for row in rows))
            else:
                content += [f"table {table}", *(f"row {table} {row}" for row in rows)]

        return State(versions, frozenset(content))

    def unrest(self, allowed: int) -> list[str]:
        others = self._query(self._others)
        found = self._texts(self._locks)
        found += [f"a connection is {state}" for _, state in others if state != "idle"]

        if len(others) > allowed:
            found.append(f"{len(others)} connections are open")

        return found

    def unsound(self, connection: sa.Connection) -> str | None:
        if (level := connection.get_isolation_level()) != "READ COMMITTED":
            return f"its isolation level is {level}"

        return None

    def evict(self) -> None:
        self._query(f"SELECT pg_terminate_backend(pid) FROM ({self._others}) AS other")
        self.wait(0)


class MariaDB(Server):
    rolls_ddl_back = False
    _others = """
    SELECT id, command FROM information_schema.processlist
    WHERE db = DATABASE() AND id <> CONNECTION_ID()
    """

    def __init__(self, url: sa.URL) -> None:
        import pymysql

        connection = pymysql.connect(
            host=url.host,
            port=url.port or 0,
            user=url.username,
            password=url.password or "",
            database=url.database,
            autocommit=True,
            ssl_disabled=True,
        )
        super().__init__(connection)
        self._query("SET SESSION lock_wait_timeout = 5, foreign_key_checks = 0")

    def reset(self) -> None:
        for table in self._texts("SHOW TABLES"):
            self._query(f"DROP TABLE {table}")

    def state(self) -> State:
        versions = None
        content = []

        for table in self._texts("SHOW TABLES"):
            if table == RECORD_TABLE:
                continue

            rows = self._query(f"SELECT * FROM {table}")

            if table == VERSION_TABLE:
                versions = tuple(sorted(row[0] for row in rows))
                continue

            definition = self._query(f"SHOW CREATE TABLE {table}")[0][1]
            content.append(re.sub(r" AUTO_INCREMENT=\d+", "", definition))
            content += [f"row {table} {row}" for row in rows]

        return State(versions, frozenset(content))

    def record(self) -> list[str | None]:
        if RECORD_TABLE not in self._texts("SHOW TABLES"):
            return []

        rows = self._query(
            f"SELECT details, heads FROM {RECORD_TABLE} ORDER BY position"
        )
        heads = {heads for _, heads in rows[:1]}
        at = self._query(f"SELECT group_concat(version_num) FROM {VERSION_TABLE}")
        # It is out of date once the revision is done.
        kept = [details for details, _ in rows[1:]] if heads == {at[0][0]} else []
        return [text for text in kept if text is None or '"applied"' in text]

    def unrest(self, allowed: int) -> list[str]:
        others = self._query(self._others)
        found = [
            f"a connection is in {doing}" for _, doing in others if doing != "Sleep"
        ]

        if len(others) > allowed:
            found.append(f"{len(others)} connections are open")

        return found

    def unsound(self, connection: sa.Connection) -> str | None:
        if connection.exec_driver_sql("SELECT @@in_transaction").scalar() != 0:
            return "it is in a transaction"

        if connection.exec_driver_sql("SELECT @@autocommit").scalar() != 0:
            return "it commits by itself"

        return None

    def evict(self) -> None:
        import pymysql

        for thread, _ in self._query(self._others):
            with contextlib.suppress(pymysql.err.OperationalError):
                self._query(f"KILL {thread}")

        self.wait(0)


def open_database(url: sa.URL) -> Database:
    kinds: dict[str, Any] = {
        "sqlite": SQLite,
        "postgresql": PostgreSQL,
        "mysql": MariaDB,
    }
    database: Database = kinds[url.get_backend_name()](url)
    return database
