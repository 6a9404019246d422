"""An app, and beside it the same with Alembic's own command line."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import alembic.command
import pytest
import sqlalchemy as sa
from alembic.config import Config
from sqlalchemy.ext.asyncio import AsyncEngine

from async_alembic import Alembic
from async_alembic.errors import MigrationError

from .backends import Backend
from .backends import by_id
from .backends import DatabaseFactory
from .backends import EngineFactory
from .backends import on
from .direct import blocking_url
from .harness import AnyEngine
from .harness import Caller
from .harness import ids
from .harness import make_app
from .harness import one_connection
from .harness import ONE_OF_EACH_KIND
from .harness import write_revision

SQLITE = [by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")]
POSTGRESQL = [by_id("postgresql-psycopg2"), by_id("postgresql-asyncpg")]
MARIADB = [b for b in ONE_OF_EACH_KIND if b.database == "mariadb"]
on_sqlite = on(SQLITE)
on_postgresql = on(POSTGRESQL)
on_atomic_backends = on([*SQLITE, *POSTGRESQL])
on_each_kind = on(ONE_OF_EACH_KIND)

#: Code of revisions.
INSERT = "op.execute('INSERT INTO log VALUES ({})')"
LOG = "op.create_table('log', sa.Column('id', sa.Integer))"
FAIL = "raise ValueError('no')"

ONE_EACH: dict[str, Any] = {"transaction_per_migration": True}
per_migration = pytest.mark.parametrize(
    "twin",
    [
        pytest.param({}, id="one_transaction"),
        pytest.param(ONE_EACH, id="one_each"),
    ],
    indirect=True,
)

#: What Alembic's template "generic" makes, without the part for offline mode.
ENV_PY = """\
from alembic import context
from sqlalchemy import engine_from_config, pool

config = context.config
connectable = engine_from_config(
    config.get_section(config.config_ini_section, {}),
    prefix="sqlalchemy.",
    poolclass=pool.NullPool,
)

with connectable.connect() as connection:
    context.configure(connection=connection, **config.attributes["options"])

    with context.begin_transaction():
        context.run_migrations()
"""


def dump(file: str | Path | None) -> list[str]:
    """Everything that is in a database of SQLite."""
    assert file is not None

    with contextlib.closing(sqlite3.connect(file)) as connection:
        return [*connection.iterdump()]


@dataclass
class Outcome:
    """What an upgrade has left in the database."""

    error: str | None
    versions: list[str]
    rows: dict[str, list[tuple[Any, ...]]]


class Twin:
    """An app with one database, and beside it the same with Alembic's command line."""

    def __init__(
        self,
        backend: Backend,
        caller: Caller,
        database_factory: DatabaseFactory,
        engines: EngineFactory,
        root: Path,
        **context: Any,
    ) -> None:
        self.backend = backend
        self.caller = caller
        self.database_factory = database_factory
        self.engines = engines
        self.root = root
        self.migrations = root / "migrations"
        self.options = context
        self.metadata = sa.MetaData()
        self.app = make_app("flask", root, ALEMBIC_CONTEXT=context)
        self.engine = engines(backend, **one_connection(backend))
        self.alembic = Alembic(
            self.app, metadatas=self.metadata, engines=lambda: self.engine
        )

    def revision(
        self, revision: str, after: str | None, upgrade: str, **options: Any
    ) -> Path:
        return write_revision(self.migrations, revision, after, upgrade, **options)

    def history(self, *upgrades: str, top: str = "") -> None:
        """Write revisions "a1", "a2" and so on."""
        after = None

        for number, upgrade in enumerate(upgrades, 1):
            self.revision(f"a{number}", after, upgrade, top=top)
            after = f"a{number}"

    def upgrade(self, target: Any = "heads") -> list[str]:
        return ids(self.caller(self.alembic, "upgrade", target))

    def downgrade(self, target: Any) -> list[str]:
        return ids(self.caller(self.alembic, "downgrade", target))

    def outcome(self) -> Outcome:
        """What our upgrade leaves."""
        error = None

        try:
            self.upgrade()
        except MigrationError as e:
            error = type(e.__cause__).__name__

        return self.look(self.engine, error)

    def outcome_of_alembic(self) -> Outcome:
        """What ``alembic upgrade heads`` leaves in another database."""
        url = blocking_url(self.database_factory(self.backend))
        folder = self.root / "plain"
        folder.mkdir(exist_ok=True)
        (folder / "env.py").write_text(ENV_PY)
        config = Config(attributes={"options": self.options})
        config.set_main_option("script_location", str(folder))
        config.set_main_option("path_separator", "os")
        config.set_main_option("version_locations", str(self.migrations))
        text = url.render_as_string(hide_password=False)
        config.set_main_option("sqlalchemy.url", text.replace("%", "%%"))
        error = None

        try:
            alembic.command.upgrade(config, "heads")
        except Exception as e:
            error = type(e).__name__

        engine = sa.create_engine(url)

        try:
            return self.look(engine, error)
        finally:
            engine.dispose()

    def look(self, engine: AnyEngine, error: str | None) -> Outcome:
        rows = {
            table: sorted(self.caller.query(engine, f"SELECT * FROM {table}"))
            for table in sorted(self.caller.tables(engine))
        }
        return Outcome(error, self.caller.versions(engine), rows)

    def dump(self) -> list[Any]:
        """Everything that is in the database."""
        if self.backend.database == "sqlite":
            return dump(self.engine.url.database)

        tables = self.caller.tables(self.engine) | {"alembic_version"}
        query = self.caller.query
        catalog = (
            "SELECT c.relname, a.attname, a.atttypid::regtype::text FROM pg_class c"
            " JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1, 2"
        )
        types = "SELECT enumlabel FROM pg_enum ORDER BY 1"
        return [
            query(self.engine, catalog),
            query(self.engine, types),
            *(query(self.engine, f"SELECT * FROM {table}") for table in sorted(tables)),
        ]


@pytest.fixture
def twin(
    request: pytest.FixtureRequest,
    backend: Backend,
    caller: Caller,
    database_factory: DatabaseFactory,
    engines: EngineFactory,
    tmp_path: Path,
) -> Twin:
    options = getattr(request, "param", {})
    return Twin(backend, caller, database_factory, engines, tmp_path, **options)


def sync_engine_of(twin: Twin) -> sa.Engine:
    """What events are listened to on."""
    engine = twin.engine
    return engine.sync_engine if isinstance(engine, AsyncEngine) else engine


@pytest.fixture
def enforcing(twin: Twin) -> Twin:
    """With foreign keys enforced, as SQLAlchemy's documentation advises."""

    sa.event.listen(sync_engine_of(twin), "connect", enforce_foreign_keys)
    return twin


def enforce_foreign_keys(connection: Any, record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()
