"""An app whose upgrades are planned."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask.sansio.app import App

from async_alembic import Alembic
from async_alembic import Plan

from ..backends import Backend
from ..backends import EngineFactory
from ..harness import AnyEngine
from ..harness import Caller
from ..harness import make_app
from ..harness import write_revision

#: What there is on a server, by the name of the dialect.
DATABASES = {
    "postgresql": "SELECT datname FROM pg_database",
    "mysql": "SHOW DATABASES",
}


@dataclass
class Site:
    """An app with a database, whose methods are called awaited or blocking."""

    backend: Backend
    app: App
    alembic: Alembic
    engine: AnyEngine
    engines: EngineFactory
    root: Path
    caller: Caller

    @classmethod
    def of(cls, backend: Backend, engine: AnyEngine, *args: Any, **config: Any) -> Site:
        engines, root, caller = args
        app = make_app("quart", root, ALEMBIC=config)
        alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)
        return cls(backend, app, alembic, engine, engines, root, caller)

    def __call__(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self.caller(self.alembic, method, *args, **kwargs)

    def plan(self, *args: Any, **kwargs: Any) -> Plan:
        found: dict[str, Plan] = self("plan", *args, **kwargs)
        return found["default"]

    def write(self, *args: Any, **kwargs: Any) -> Path:
        return write_revision(self.root / "migrations", *args, **kwargs)

    def execute(self, *statements: str) -> None:
        self.caller.execute(self.engine, *statements)

    def with_engine(self, engine: AnyEngine) -> Site:
        """The same app with another engine."""
        args = (self.engines, self.root, self.caller)
        return Site.of(self.backend, engine, *args)

    def with_creator(self) -> Site:
        """The same app, with an engine that gets its connections from a function."""
        engine = self.engine
        assert isinstance(engine, sa.Engine)
        return self.with_engine(
            self.engines(
                self.backend,
                engine.url,
                creator=lambda: engine.dialect.connect(
                    *(made := engine.dialect.create_connect_args(engine.url))[0],
                    **made[1],
                ),
            )
        )

    @property
    def tables(self) -> set[str]:
        return self.caller.tables(self.engine)

    def columns(self, table: str) -> set[str]:
        return self.caller.columns(self.engine, table)

    def count(self, table: str) -> int:
        ((number,),) = self.caller.query(self.engine, f"SELECT count(*) FROM {table}")
        return int(number)

    @property
    def databases(self) -> list[str]:
        """The databases of the server, or the temporary files."""
        query = DATABASES.get(self.engine.dialect.name)

        if query is None:
            paths = Path(tempfile.gettempdir()).glob("async_alembic_scratch_*")
            return sorted(path.name for path in paths)

        return sorted(name for (name,) in self.caller.query(self.engine, query))

    def wait_for_copy(self) -> None:
        """Wait until there is a scratch copy on the server, in any thread."""
        driver = {"postgresql": "psycopg2", "mariadb": "pymysql"}[self.backend.database]
        name = self.engine.url.get_backend_name()
        url = self.engine.url.set(drivername=f"{name}+{driver}")
        engine = sa.create_engine(
            url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT"
        )

        with engine.connect() as connection:
            query = DATABASES[self.engine.dialect.name]

            while "async_alembic_scratch_" not in str(
                connection.exec_driver_sql(query).all()
            ):
                time.sleep(0.02)


SiteFactory = Callable[..., Site]
