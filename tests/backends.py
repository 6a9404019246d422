"""The drivers that everything is tested with.

.. code-block:: python

    @pytest.mark.parametrize("backend", ASYNC_BACKENDS, ids=str, indirect=True)
    async def test_it(backend: Backend, engine_for: EngineFactory) -> None:
        engine = engine_for.asynchronous(backend)
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from typing import Literal

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import QueuePool


@dataclass(frozen=True)
class Backend:
    """One database, reached through one driver, in one of its modes."""

    id: str
    database: Literal["sqlite", "postgresql", "mariadb"]
    drivername: str
    """SQLAlchemy's: what stands before ``://``."""
    is_async: bool
    in_memory: bool = False

    def __str__(self) -> str:
        return self.id

    @property
    def driver(self) -> str:
        """The name of the driver's module."""
        return self.drivername.partition("+")[2] or "sqlite3"

    @property
    def missing(self) -> str | None:
        """Why this driver can't be used here, or None."""
        if importlib.util.find_spec(self.driver) is None:
            return f"'{self.driver}' is not installed."

        return None


BACKENDS = [
    Backend("sqlite-sqlite3", "sqlite", "sqlite", False),
    Backend("sqlite-aiosqlite", "sqlite", "sqlite+aiosqlite", True),
    Backend("sqlite-memory-sqlite3", "sqlite", "sqlite", False, True),
    Backend("sqlite-memory-aiosqlite", "sqlite", "sqlite+aiosqlite", True, True),
    Backend("postgresql-psycopg2", "postgresql", "postgresql+psycopg2", False),
    Backend("postgresql-psycopg", "postgresql", "postgresql+psycopg", False),
    Backend("postgresql-psycopg-async", "postgresql", "postgresql+psycopg", True),
    Backend("postgresql-asyncpg", "postgresql", "postgresql+asyncpg", True),
    Backend("mariadb-pymysql", "mariadb", "mysql+pymysql", False),
    Backend("mariadb-asyncmy", "mariadb", "mysql+asyncmy", True),
    Backend("mariadb-aiomysql", "mariadb", "mysql+aiomysql", True),
]
SYNC_BACKENDS = [b for b in BACKENDS if not b.is_async]
ASYNC_BACKENDS = [b for b in BACKENDS if b.is_async]
SQLITE_BACKENDS = [b for b in BACKENDS if b.database == "sqlite"]
POSTGRESQL_BACKENDS = [b for b in BACKENDS if b.database == "postgresql"]
MARIADB_BACKENDS = [b for b in BACKENDS if b.database == "mariadb"]
MEMORY_BACKENDS = [b for b in BACKENDS if b.in_memory]
#: Those that several engines can open at once.
SHARED_BACKENDS = [b for b in BACKENDS if not b.in_memory]


def by_id(id: str) -> Backend:
    """The backend of a name, such as ``postgresql-asyncpg``."""
    return next(b for b in BACKENDS if b.id == id)


def on(backends: Iterable[Backend]) -> pytest.MarkDecorator:
    """Run a test on each of these backends: ``@on(ASYNC_BACKENDS)``."""
    return pytest.mark.parametrize("backend", backends, ids=str, indirect=True)


on_all_backends = on(BACKENDS)

#: Makes a new, empty database, which is dropped at the test's end.
DatabaseFactory = Callable[[Backend], sa.URL]


class EngineFactory:
    """Makes engines; without a URL, for a new database each."""

    def __init__(self, database_factory: DatabaseFactory) -> None:
        self._database_factory = database_factory
        self._engines: list[sa.Engine | AsyncEngine] = []

    def __call__(
        self, backend: Backend, url: sa.URL | None = None, **options: Any
    ) -> sa.Engine | AsyncEngine:
        make = self.asynchronous if backend.is_async else self.synchronous
        return make(backend, url, **options)

    def synchronous(
        self, backend: Backend, url: sa.URL | None = None, **options: Any
    ) -> sa.Engine:
        assert not backend.is_async
        engine = sa.create_engine(url or self._database_factory(backend), **options)
        self._engines.append(engine)
        return engine

    def asynchronous(
        self, backend: Backend, url: sa.URL | None = None, **options: Any
    ) -> AsyncEngine:
        assert backend.is_async
        engine = create_async_engine(url or self._database_factory(backend), **options)
        self._engines.append(engine)
        return engine

    async def dispose(self) -> list[str]:
        """Dispose all engines. Returns those whose connections were not given back."""
        leaking = []

        for engine in self._engines:
            if isinstance(engine.pool, QueuePool) and engine.pool.checkedout():
                leaking.append(f"{engine.url!r}: {engine.pool.status()}")

            if isinstance(engine, AsyncEngine):
                await engine.dispose()
            else:
                engine.dispose()

        return leaking
