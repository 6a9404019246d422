"""The same work on two drivers of a database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic.migration.environment import Environment

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..harness import AnyEngine
from ..harness import Caller
from ..harness import make_app
from ..harness import one_connection

#: What others are compared with.
REFERENCES = {
    "postgresql": by_id("postgresql-psycopg2"),
    "mariadb": by_id("mariadb-pymysql"),
}
SERVER_SIDE = [
    by_id("postgresql-asyncpg"),
    by_id("postgresql-psycopg"),
    by_id("postgresql-psycopg-async"),
]
on_each_driver = on(SERVER_SIDE)
Work = Callable[[Environment], Any]


class Pair:
    """The same app on two drivers, of which the first is the reference, each with its
    own database.
    """

    def __init__(
        self, backend: Backend, caller: Caller, engines: EngineFactory, root: Path
    ) -> None:
        self.caller = caller
        self.folder = root / "migrations"
        drivers = [REFERENCES[backend.id.partition("-")[0]], backend]
        self.engines = [engines(each, **one_connection(each)) for each in drivers]
        # The extension keeps no reference to it.
        self._app = make_app("quart", root)
        self.alembics = [
            Alembic(self._app, metadatas=sa.MetaData(), engines=engine, command_name="")
            for engine in self.engines
        ]

    @property
    def engine(self) -> AnyEngine:
        """That of the other driver."""
        return self.engines[1]

    def run(self, work: Work) -> Any:
        """Do something with both. What it returns must be the same."""
        found = [self.caller(alembic, "run", work) for alembic in self.alembics]
        assert found[0] == found[1]
        return found[0]


def plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value
