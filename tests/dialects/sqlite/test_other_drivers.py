"""Drivers of SQLite that lack some of what ``sqlite3`` has: libSQL and Turso."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic import AsyncAlembicError
from async_alembic import ConfigurationError
from async_alembic import ForeignKeyError
from async_alembic import LockTimeout
from async_alembic import MigrationError
from async_alembic import SyncAlembic

from ...backends import by_id
from ...backends import EngineFactory
from ...harness import create_table
from ...harness import ids
from ...harness import make_app
from ...harness import write_revision
from .other_drivers import DRIVERS
from .other_drivers import missing

FILE = by_id("sqlite-sqlite3")
BATCH = """
with op.batch_alter_table("users") as batch:
    batch.add_column(sa.Column("email", sa.String(50)))
    batch.alter_column("name", nullable=False, existing_type=sa.String(20))
"""


class Shop:
    """An app on a database of one of the drivers."""

    def __init__(
        self, name: str, engines: EngineFactory, root: Path, **config: Any
    ) -> None:
        drivername, arguments, package = DRIVERS[name]

        if reason := missing(package):
            pytest.skip(reason)

        url = sa.URL.create(drivername, database=str(root / "shop.db"))
        self.engine = engines.synchronous(FILE, url, connect_args=arguments)
        self.app = make_app("flask", root, **config)
        self.folder = root / "migrations"
        self.metadata = sa.MetaData()
        self.alembic = SyncAlembic(
            self.app, metadatas=self.metadata, engines=self.engine, command_name=""
        )

    def history(self, *upgrades: str, downgrade: str = "pass") -> None:
        """Write revisions "a1", "a2" and so on."""
        for number, upgrade in enumerate(upgrades, 1):
            after = f"a{number - 1}" if number > 1 else None
            write_revision(self.folder, f"a{number}", after, upgrade, downgrade)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]


def execute(connection: Any, statement: str) -> None:
    """Execute a statement on a connection of the driver."""
    cursor = connection.cursor()
    cursor.execute(statement)
    cursor.fetchall()
    cursor.close()


on_each = pytest.mark.parametrize("name", DRIVERS)
per_migration = pytest.mark.parametrize("per_migration", [False, True])
USERS = create_table(
    "users",
    "sa.Column('id', sa.Integer, primary_key=True)",
    "sa.Column('name', sa.String(20))",
)
INSERT = "op.execute(\"INSERT INTO users (id, name) VALUES ({}, 'x')\")"


@on_each
@per_migration
def test_a_history_goes_there_and_back(
    per_migration: bool, name: str, engines: EngineFactory, tmp_path: Path
) -> None:
    context = {"transaction_per_migration": per_migration}
    shop = Shop(name, engines, tmp_path, ALEMBIC_CONTEXT=context)
    shop.history(USERS, INSERT.format(1), BATCH)
    assert ids(shop.alembic.upgrade()) == ["a1", "a2", "a3"]
    assert ids(shop.alembic.current()) == ["a3"]
    assert shop.query("SELECT * FROM users") == [(1, "x", None)]
    assert ids(shop.alembic.upgrade()) == []
    sa.Table(
        "users",
        shop.metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(20), nullable=False),
        sa.Column("email", sa.String(50)),
    )
    assert shop.alembic.compare_metadata() == []
    shop.history(USERS, INSERT.format(1), BATCH, downgrade="raise ValueError")

    with pytest.raises(MigrationError):
        shop.alembic.downgrade("base")

    assert ids(shop.alembic.current()) == ["a3"]
    drop = 'with op.batch_alter_table("users") as batch: batch.drop_column("email")'
    write_revision(shop.folder, "a3", "a2", BATCH, drop)
    write_revision(shop.folder, "a2", "a1", INSERT, "op.drop_table('users')")
    write_revision(shop.folder, "a1")
    assert ids(shop.alembic.downgrade("base")) == ["a3", "a2", "a1"]
    assert sa.inspect(shop.engine).get_table_names() == ["alembic_version"]


@on_each
async def test_a_call_is_awaited_from_another_thread(
    name: str, engine_for: EngineFactory, tmp_path: Path
) -> None:
    """Each time from a new one, on the same connection."""
    shop = Shop(name, engine_for, tmp_path)
    shop.history(USERS, INSERT.format(1))
    alembic = Alembic(
        shop.app, metadatas=shop.metadata, engines=shop.engine, command_name=""
    )
    assert ids(await alembic.upgrade("a1")) == ["a1"]
    assert ids(await alembic.upgrade()) == ["a2"]


@on_each
def test_a_failed_upgrade_leaves_nothing(
    name: str, engines: EngineFactory, tmp_path: Path
) -> None:
    shop = Shop(name, engines, tmp_path)
    shop.history(USERS, f"{INSERT.format(1)}\nop.execute('NONSENSE')")

    with pytest.raises(MigrationError, match='near "NONSENSE": syntax error'):
        shop.alembic.upgrade()

    assert sa.inspect(shop.engine).get_table_names() == []


@on_each
def test_another_writer_is_waited_for(
    name: str, engines: EngineFactory, tmp_path: Path
) -> None:
    """Only the text of the error says that it is busy."""
    shop = Shop(name, engines, tmp_path, ALEMBIC_LOCK_TIMEOUT=0.1)
    shop.history(USERS)

    with shop.engine.connect() as other:
        other.exec_driver_sql("CREATE TABLE t (x INTEGER)")
        other.commit()
        other.exec_driver_sql("INSERT INTO t VALUES (1)")

        with pytest.raises(LockTimeout):
            shop.alembic.upgrade()

        other.rollback()

    assert ids(shop.alembic.upgrade()) == ["a1"]


@on_each
def test_without_the_lock_it_is_tried_again(
    name: str,
    engines: EngineFactory,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    config: dict[str, Any] = {"ALEMBIC_LOCK": False, "ALEMBIC_RETRIES": 2}
    shop = Shop(name, engines, tmp_path, **config)
    shop.history(USERS)

    @sa.event.listens_for(shop.engine, "connect")
    def do_not_wait(connection: Any, record: object) -> None:
        execute(connection, "PRAGMA busy_timeout=0")

    with shop.engine.connect() as other:
        other.exec_driver_sql("CREATE TABLE t (x INTEGER)")
        other.commit()
        other.exec_driver_sql("INSERT INTO t VALUES (1)")

        with pytest.raises(AsyncAlembicError, match="database is locked"):
            shop.alembic.upgrade()

    assert "Retrying, 2 of 2" in caplog.text


@on_each
def test_another_migrator_may_come_in_between(
    name: str,
    engines: EngineFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After each revision, as each has its own transaction."""
    config: dict[str, Any] = {"ALEMBIC_CONTEXT": {"transaction_per_migration": True}}
    shop = Shop(name, engines, tmp_path, **config)
    shop.history(USERS, INSERT.format(1), INSERT.format(2))
    arguments = DRIVERS[name][1]
    engine = engines.synchronous(FILE, shop.engine.url, connect_args=arguments)
    other = SyncAlembic(
        shop.app, metadatas=sa.MetaData(), engines=engine, command_name=""
    )
    others: list[str] = []
    commit = shop.engine.dialect.do_commit

    def let_in(connection: Any) -> None:
        commit(connection)

        if not others:
            others.append("")
            others[:] = ids(other.upgrade())

    monkeypatch.setattr(shop.engine.dialect, "do_commit", let_in)
    assert ids(shop.alembic.upgrade()) == ["a1"]
    assert others == ["a2", "a3"]
    assert shop.query("SELECT id FROM users") == [(1,), (2,)]


PARENTS = """
op.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
op.execute("CREATE TABLE child (parent_id INTEGER REFERENCES parent (id))")
op.execute("INSERT INTO parent VALUES (1)")
op.execute("INSERT INTO child VALUES (1)")
"""


@on_each
def test_foreign_keys_are_checked_or_the_driver_is_refused(
    name: str, engines: EngineFactory, tmp_path: Path
) -> None:
    """Turso accepts ``PRAGMA foreign_key_check``, and does nothing."""
    shop = Shop(name, engines, tmp_path)
    shop.history(PARENTS, "op.execute('DELETE FROM parent')")

    @sa.event.listens_for(shop.engine, "connect")
    def enforce(connection: Any, record: object) -> None:
        execute(connection, "PRAGMA foreign_keys=ON")

    if name.startswith("libsql"):
        with pytest.raises(ForeignKeyError, match="'child'"):
            shop.alembic.upgrade()
    else:
        driver = shop.engine.driver

        with pytest.raises(ConfigurationError, match=f"'{driver}' cannot check"):
            shop.alembic.upgrade()

    assert sa.inspect(shop.engine).get_table_names() == []
    assert shop.query("PRAGMA foreign_keys") == [(1,)]
