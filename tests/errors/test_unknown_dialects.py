"""A dialect that Alembic does not know."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.ddl.impl import DefaultImpl
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import OperationalError

from async_alembic import Alembic
from async_alembic import ConfigurationError
from async_alembic import MigrationError
from async_alembic import SyncAlembic
from async_alembic.migration import lease

from ..backends import Backend
from ..backends import DatabaseFactory
from ..backends import EngineFactory
from ..backends import on
from ..harness import AnyEngine
from ..harness import Caller
from ..harness import create_table
from ..harness import ids
from ..harness import make_app
from ..harness import ONE_OF_EACH_KIND
from ..harness import write_revision
from ..migration.sites import HOLD
from ..migration.sites import in_a_thread
from ..migration.sites import INSERT
from ..migration.sites import LOG
from ..migration.sites import migrating
from ..migration.sites import Site
from ..projects import Project as SimpleProject
from .project import in_every_way
from .project import metadata
from .project import ProjectFactory


class Strange(SQLiteDialect_pysqlite):
    name = "strange"
    supports_statement_cache = True


class StrangeAsync(SQLiteDialect_aiosqlite):
    name = "strange"
    supports_statement_cache = True


class Known(SQLiteDialect_pysqlite):
    name = "known"
    supports_statement_cache = True


class KnownAsync(SQLiteDialect_aiosqlite):
    name = "known"
    supports_statement_cache = True


class KnownImpl(DefaultImpl):
    __dialect__ = "known"
    transactional_ddl = True


for driver, class_ in {
    "strange.sqlite3": Strange,
    "strange.aiosqlite": StrangeAsync,
    "known.sqlite3": Known,
    "known.aiosqlite": KnownAsync,
}.items():
    registry.register(driver, __name__, class_.__name__)

#: DuckDB has no SERIAL.
ID = "sa.Column('id', sa.Integer)"


def engine_of(
    dialect: str, backend: Backend, database: DatabaseFactory, engines: EngineFactory
) -> AnyEngine:
    url = database(backend).set(drivername=f"{dialect}+{backend.driver}")
    return engines(backend, url)


@in_every_way
@pytest.mark.parametrize(
    "command",
    [
        ("upgrade",),
        ("downgrade",),
        ("check",),
        ("stamp",),
        ("revision", "one"),
    ],
    ids=lambda command: command[0],
)
def test_the_sentence_says_which_class_to_write(
    command: tuple[str, ...],
    way: str,
    make: ProjectFactory,
    backend: Backend,
    database_factory: DatabaseFactory,
    engines: EngineFactory,
) -> None:
    if command == ("check",) and way != "command line":
        command = ("needs_revision",)

    project = make(engines=engine_of("strange", backend, database_factory, engines))

    if command == ("upgrade",):
        write_revision(project.migrations, "a1")

    error = project.fail(ConfigurationError, *command)
    assert str(error) == (
        "Alembic does not know the dialect 'strange' of database 'default'. The app"
        " must define or import a subclass of alembic.ddl.impl.DefaultImpl with"
        " __dialect__ = 'strange'."
    )


@on(ONE_OF_EACH_KIND[:2])
def test_without_it_the_database_can_be_looked_at(
    backend: Backend,
    caller: Caller,
    database_factory: DatabaseFactory,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    """Alembic is not asked where it is."""
    engine = engine_of("strange", backend, database_factory, engines)
    app = make_app("flask", tmp_path)
    alembic = Alembic(app, metadatas=metadata(), engines=engine)
    write_revision(tmp_path / "migrations", "a1")
    assert caller(alembic, "current") == ()
    assert caller(alembic, "needs_upgrade")
    stamped = "CREATE TABLE alembic_version AS SELECT 'a1' AS version_num"
    caller.execute(engine, stamped)
    assert ids(caller(alembic, "current")) == ["a1"]
    assert caller(alembic, "upgrade") == []


@on(ONE_OF_EACH_KIND[:2])
def test_with_this_class_everything_works(
    backend: Backend,
    caller: Caller,
    database_factory: DatabaseFactory,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    project = SimpleProject(tmp_path, engines, metadatas=metadata())
    engine = engine_of("known", backend, database_factory, engines)
    alembic = type(project.alembic)(
        project.app, metadatas=project.metadatas, engines=engine
    )
    (first,) = caller(alembic, "revision", "users")
    assert ids(caller(alembic, "upgrade")) == [first.revision]
    assert ids(caller(alembic, "current")) == [first.revision]
    assert caller(alembic, "compare_metadata") == []
    assert ids(caller(alembic, "downgrade", "base")) == [first.revision]
    assert caller.tables(engine) == set()
    caller(alembic, "stamp", "heads")
    assert caller(alembic, "status")["default"].state == "current"
    write_revision(project.folder, "bad", first.revision, "op.execute('NONSENSE')")

    with pytest.raises(MigrationError, match="NONSENSE"):
        caller(alembic, "upgrade")

    assert caller.versions(engine) == [first.revision]


@on(ONE_OF_EACH_KIND[:2])
def test_a_lease_lets_only_one_migrate(
    backend: Backend,
    caller: Caller,
    database_factory: DatabaseFactory,
    engines: EngineFactory,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Nobody knows whether such a database has locks. Here the transaction locks the
    whole file, so that the lease cannot be renewed meanwhile.
    """
    monkeypatch.setattr(lease, "BEAT_INTERVAL", 0.05)
    beat, failed = lease.Lease._beat, threading.Semaphore(0)

    def watch(self: lease.Lease, connection: sa.Connection) -> None:
        try:
            beat(self, connection)
        except OperationalError:
            failed.release()
            raise

    monkeypatch.setattr(lease.Lease, "_beat", watch)
    url = database_factory(backend).set(drivername=f"known+{backend.driver}")
    # In seconds: how long a renewal waits for the file.
    impatient = engines(backend, url, connect_args={"timeout": 0.2})
    first = Site(impatient, tmp_path / "one")
    second = Site(engines(backend, url), tmp_path / "two")

    for site in first, second:
        site.history(LOG, INSERT.format(1) + HOLD)

    with (
        migrating(first) as up,
        in_a_thread(lambda: caller(second.alembic, "upgrade")) as waiting,
    ):
        for _ in range(2):
            assert failed.acquire(timeout=30)

        assert not waiting.done()
        first.go_on.set()

    assert ids(up.result()) == ["a1", "a2"]
    assert waiting.result() == []
    assert caller.query(second.engine, "SELECT id FROM log") == [(1,)]


def test_duckdb_works_with_such_a_class(tmp_path: Path) -> None:
    pytest.importorskip("duckdb_engine", reason="'duckdb-engine' is not installed.")
    app = make_app("flask", tmp_path)
    engine = sa.create_engine(f"duckdb:///{tmp_path}/shop.db")
    alembic = SyncAlembic(app, metadatas=sa.MetaData(), engines=engine)
    write_revision(
        tmp_path / "migrations",
        "a1",
        upgrade=create_table("users", ID),
        downgrade="op.drop_table('users')",
    )

    class DuckDBImpl(DefaultImpl):
        __dialect__ = "duckdb"
        transactional_ddl = True

    assert ids(alembic.upgrade()) == ["a1"]
    assert ids(alembic.current()) == ["a1"]
    write_revision(
        tmp_path / "migrations",
        "a2",
        "a1",
        f"{create_table('half', ID)}; 1 / 0",
    )

    with pytest.raises(MigrationError, match="division by zero"):
        alembic.upgrade()

    with engine.connect() as connection:
        rows: list[Any] = [*connection.exec_driver_sql("SELECT * FROM alembic_version")]
        assert rows == [("a1",)]
        tables = connection.exec_driver_sql("SHOW TABLES").scalars().all()
        assert "users" in tables
        assert "half" not in tables

    assert ids(alembic.downgrade("base")) == ["a1"]
    engine.dispose()
