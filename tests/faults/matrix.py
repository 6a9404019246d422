"""Which kinds of fault each driver has to stand, and in which way it is called."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from typing import Any

from ..backends import Backend
from ..backends import by_id

ONE_EACH = {"transaction_per_migration": True}
CANCELLATIONS = ["task.cancel()", "asyncio.wait_for", "anyio.CancelScope"]
KINDS = ["exception", "interrupt", *CANCELLATIONS, "SIGKILL"]


@dataclass(frozen=True)
class Entry:
    """One kind of fault for one driver.

    :param backend: The driver.
    :param kind: The name of the kind.
    :param awaited: Whether the upgrade is awaited, or blocks.
    :param options: The app's ``ALEMBIC_CONTEXT``.
    """

    backend: Backend
    kind: str
    awaited: bool
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        way = "awaited" if self.awaited else "blocking"
        return "-".join([self.backend.id, *self._transactions, way, self.kind])

    @property
    def driver(self) -> str:
        """What the driver is called in a table."""
        name = self.backend.drivername.partition("+")[2] or "sqlite3"
        return ", ".join([name, *self._transactions])

    @property
    def _transactions(self) -> list[str]:
        return ["one transaction each"] if self.options else []


def make_matrix() -> list[Entry]:
    sqlite3, aiosqlite = by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")
    psycopg2, asyncpg = by_id("postgresql-psycopg2"), by_id("postgresql-asyncpg")
    psycopg = by_id("postgresql-psycopg-async")
    pymysql, asyncmy = by_id("mariadb-pymysql"), by_id("mariadb-asyncmy")
    matrix = []

    for backend in sqlite3, aiosqlite, psycopg2, psycopg, asyncpg:
        matrix += [Entry(backend, kind, True) for kind in ("exception", *CANCELLATIONS)]
        matrix.append(Entry(backend, "SIGKILL", False))

    for backend in pymysql, asyncmy:
        matrix.append(Entry(backend, "exception", True))
        matrix.append(Entry(backend, "task.cancel()", True))
        matrix.append(Entry(backend, "SIGKILL", False))

    # The private event loop is the same for every asynchronous driver.
    for backend in sqlite3, psycopg2, asyncpg, pymysql:
        matrix.append(Entry(backend, "interrupt", False))

    for backend in sqlite3, psycopg2:
        matrix.append(Entry(backend, "exception", False, ONE_EACH))
        matrix.append(Entry(backend, "SIGKILL", False, ONE_EACH))

    for backend in aiosqlite, asyncpg:
        matrix.append(Entry(backend, "task.cancel()", True, ONE_EACH))

    return matrix


MATRIX = make_matrix()
#: What the quick lane has of it: each kind of fault, and each driver of the lane.
SAMPLE = {
    "sqlite-sqlite3-blocking-SIGKILL",
    "sqlite-aiosqlite-awaited-asyncio.wait_for",
    "postgresql-psycopg2-one transaction each-blocking-exception",
    "postgresql-asyncpg-awaited-anyio.CancelScope",
    "postgresql-asyncpg-blocking-interrupt",
    "mariadb-pymysql-blocking-SIGKILL",
    "mariadb-asyncmy-awaited-task.cancel()",
}
