"""The app whose upgrade is disturbed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any
from typing import Self
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.ext.asyncio import create_async_engine

from async_alembic import Alembic

from ..harness import AnyEngine
from ..harness import Caller
from ..harness import make_app
from ..harness import one_connection
from .clock import Clock
from .subject import Subject
from .trips import Trips

T = TypeVar("T")


class Site:
    """An app with one database, whose engine has one connection, and an event loop."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.engine = make_engine(subject)
        self.trips = Trips(self.engine)
        self.runner = asyncio.Runner()
        self.clock = Clock(self.runner.get_loop())
        self._call = Caller(self.runner, subject.awaited)
        # The extension keeps no reference to it.
        self._app = make_app(
            "flask",
            subject.root,
            ALEMBIC_CONTEXT=dict(subject.options),
            ALEMBIC_LOCK_TIMEOUT=10,
        )
        self.alembic = Alembic(self._app, metadatas=sa.MetaData(), engines=self.engine)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        try:
            self.dispose()
        finally:
            self.runner.close()

    def upgrade(self, target: str = "heads", *, resume: bool = False) -> None:
        self._call(self.alembic, "upgrade", target, resume=resume)

    def checked_out(self) -> int:
        pool: Any = self.engine.pool
        count: int = pool.checkedout()
        return count

    def connect(self, fn: Callable[[sa.Connection], T]) -> T:
        """Call a function with the connection of the pool."""
        if isinstance(self.engine, AsyncEngine):
            return self.runner.run(_connect(self.engine, fn))

        with self.engine.connect() as connection:
            return fn(connection)

    def dispose(self) -> None:
        """Close what the pool holds, so that the next connection is a new one."""
        if isinstance(self.engine, AsyncEngine):
            self.runner.run(self.engine.dispose())
        else:
            self.engine.dispose()


async def _connect(engine: AsyncEngine, fn: Callable[[sa.Connection], T]) -> T:
    async with engine.connect() as connection:
        return await connection.run_sync(fn)


def make_engine(subject: Subject) -> AnyEngine:
    engine: AnyEngine
    make = create_async_engine if subject.backend.is_async else sa.create_engine
    options = one_connection(subject.backend)

    if subject.backend.driver == "pymysql":
        # Loading the certificates for TLS would take most of the time.
        options["connect_args"] = {"ssl_disabled": True}

    engine = make(subject.url, **options)

    if subject.backend.database == "sqlite":
        listens = sa.event.listens_for(
            getattr(engine, "sync_engine", engine), "connect"
        )
        listens(enforce_foreign_keys)

    return engine


def enforce_foreign_keys(connection: Any, record: object) -> None:
    with contextlib.closing(connection.cursor()) as cursor:
        cursor.execute("PRAGMA foreign_keys=ON")
        # What was written survives the death of a process, if not of the machine.
        cursor.execute("PRAGMA synchronous=OFF")
