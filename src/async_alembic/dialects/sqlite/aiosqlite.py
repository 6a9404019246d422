"""Cursors for aiosqlite with fewer thread switches.

SQLAlchemy's adapter creates, executes, reads and closes a cursor in four round trips to
the driver's thread. A switch takes longer than most statements of a migration.
"""

from __future__ import annotations

import collections
import contextlib
import copy
import typing as t

if t.TYPE_CHECKING:
    import collections.abc as c

    import sqlalchemy as sa


@contextlib.contextmanager
def fewer_thread_switches(connection: sa.Connection) -> c.Iterator[None]:
    """Make a connection use these cursors.

    :param connection: A connection. Does nothing on other drivers.
    """
    original = connection.dialect

    if original.driver != "aiosqlite":
        yield
        return

    class Context(original.execution_ctx_cls):  # type: ignore[misc, name-defined]
        def create_default_cursor(self) -> Cursor:
            return Cursor(self.root_connection.connection.dbapi_connection)

    dialect: t.Any = copy.copy(original)
    dialect.execution_ctx_cls = Context
    connection.dialect = dialect

    try:
        yield
    finally:
        connection.dialect = original


class Cursor:
    """A :pep:`249` cursor. A statement without rows takes one round trip.

    :param adapted: SQLAlchemy's adapter of the driver's connection.
    """

    arraysize = 1

    def __init__(self, adapted: t.Any) -> None:
        self._adapted = adapted
        self._executed: t.Any = None
        self._rows: collections.deque[t.Any] = collections.deque()

    @property
    def description(self) -> t.Any:
        return self._executed.description

    @property
    def rowcount(self) -> int:
        return int(self._executed.rowcount)

    @property
    def lastrowid(self) -> int | None:
        return t.cast("int | None", self._executed.lastrowid)

    def execute(self, statement: str, parameters: t.Any = ()) -> None:
        self._run(lambda driver: driver.execute(statement, parameters))

    def executemany(self, statement: str, parameters: t.Any) -> None:
        self._run(lambda driver: driver.executemany(statement, parameters))

    def fetchone(self) -> t.Any:
        return self._rows.popleft() if self._rows else None

    def fetchmany(self, size: int | None = None) -> list[t.Any]:
        count = min(size or self.arraysize, len(self._rows))
        return [self._rows.popleft() for _ in range(count)]

    def fetchall(self) -> list[t.Any]:
        return self.fetchmany(len(self._rows))

    def close(self) -> None:
        self._rows.clear()

    def _run(self, execute: c.Callable[[t.Any], c.Awaitable[t.Any]]) -> None:
        async def run(driver: t.Any) -> None:
            self._executed = await execute(driver)

            if self._executed.description:
                self._rows.extend(await self._executed.fetchall())

        try:
            self._adapted.run_async(run)
        except Exception as e:
            # There's no public way to convert it to the DBAPI's error.
            self._adapted._handle_exception(e)
            raise
