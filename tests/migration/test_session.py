"""The settings of the connection that migrates, and what is tried again."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.ddl.sqlite import SQLiteImpl
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from async_alembic import Alembic
from async_alembic import AsyncAlembicError
from async_alembic import ConfigurationError
from async_alembic import MigrationError

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..backends import SHARED_BACKENDS
from ..direct import blocking_url
from ..harness import Caller
from ..harness import ids
from ..harness import make_app
from ..harness import write_revision
from ..servers import MariaDBServer
from ..servers import USER
from ..twins import FAIL
from ..twins import INSERT
from ..twins import LOG
from ..twins import Twin

on_shared_backends = on(SHARED_BACKENDS)
on_servers = on([b for b in SHARED_BACKENDS if b.database != "sqlite"])

#: A setting of each database with a value, and how to read it.
SETTING: dict[str, tuple[str, Any, str]] = {
    "postgresql": ("lock_timeout", "1234ms", "SHOW lock_timeout"),
    "mariadb": ("lock_wait_timeout", 1234, "SELECT @@SESSION.lock_wait_timeout"),
    "sqlite": ("cache_size", -1234, "PRAGMA cache_size"),
}


@on_shared_backends
@pytest.mark.parametrize("end", ["", FAIL, "raise SystemExit"])
@pytest.mark.parametrize("by_name", [False, True], ids=["for_all", "by_name"])
def test_settings_are_those_of_the_migration_alone(
    by_name: bool, end: str, twin: Twin
) -> None:
    """A timeout that is right for a migration is wrong for the app."""
    name, value, query = SETTING[twin.backend.database]
    session = {"default": {name: value}} if by_name else {name: value}
    twin.app.config["ALEMBIC_SESSION"] = session
    before = twin.caller.query(twin.engine, query)
    scalar = f"op.get_bind().exec_driver_sql({query!r}).scalar()"
    twin.history(LOG, f"assert str({scalar}) == {str(value)!r}\n{end}")

    with contextlib.suppress(MigrationError, SystemExit):
        assert twin.upgrade() == ["a1", "a2"]

    assert twin.caller.query(twin.engine, query) == before
    is_applied = not end
    assert (twin.caller.versions(twin.engine) == ["a2"]) is is_applied


@on_shared_backends
def test_settings_apply_to_what_is_run_by_hand(twin: Twin) -> None:
    name, value, query = SETTING[twin.backend.database]
    twin.app.config["ALEMBIC_SESSION"] = {name: value}
    before = twin.caller.query(twin.engine, query)

    def look(env: Any) -> str:
        return str(env.op.get_bind().exec_driver_sql(query).scalar())

    assert twin.caller(twin.alembic, "run", look) == str(value)
    assert twin.caller.query(twin.engine, query) == before


@on_shared_backends
@pytest.mark.parametrize(
    ("name", "value"), [("no_such_setting", 1), ("no; such", 1), ("lock_timeout", "x")]
)
def test_a_setting_that_the_database_does_not_take_is_named(
    name: str, value: object, twin: Twin
) -> None:
    twin.app.config["ALEMBIC_SESSION"] = {name: value}
    twin.history(LOG)

    with pytest.raises(ConfigurationError, match=rf"ALEMBIC_SESSION.*{name}"):
        twin.upgrade()

    assert twin.caller.tables(twin.engine) == set()
    twin.app.config["ALEMBIC_SESSION"] = {}
    assert twin.upgrade() == ["a1"]


@on([by_id("postgresql-psycopg2"), by_id("postgresql-asyncpg")])
def test_a_setting_that_nobody_knows_may_have_a_dot(twin: Twin) -> None:
    """PostgreSQL leaves these to apps, such as for row security."""
    twin.app.config["ALEMBIC_SESSION"] = {
        "shop.tenant": "acme",
        "row_security": True,
        "lock_timeout": 0,
    }
    check = "SELECT current_setting('shop.tenant')"
    twin.history(f"assert op.get_bind().exec_driver_sql({check!r}).scalar() == 'acme'")
    assert twin.upgrade() == ["a1"]
    again = "SELECT coalesce(current_setting('shop.tenant', true), '')"
    assert twin.caller.query(twin.engine, again) == [("",)]


@on([by_id("sqlite-memory-sqlite3"), by_id("sqlite-memory-aiosqlite")])
def test_settings_do_not_cost_a_database_in_memory(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Any
) -> None:
    engine = engines(backend)
    app = make_app("flask", tmp_path, ALEMBIC_SESSION={"cache_size": -1234})
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)
    before = caller.query(engine, "PRAGMA cache_size")
    caller.execute(engine, "CREATE TABLE mine (id int)")

    with pytest.raises(ZeroDivisionError):
        caller(alembic, "run", lambda env: 1 / 0)

    assert caller.query(engine, "PRAGMA cache_size") == before
    assert caller.tables(engine) == {"mine"}


@on([b for b in SHARED_BACKENDS if b.database == "postgresql"])
def test_settings_count_for_every_question(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """The search path decides which tenant is looked at, and the role what it sees."""
    engine = engines(backend)
    caller.execute(engine, "CREATE SCHEMA tenant")
    metadata = sa.MetaData()
    sa.Table("log", metadata, sa.Column("id", sa.Integer))
    app = make_app("flask", tmp_path)
    alembic = Alembic(app, metadatas=metadata, engines=engine)
    write_revision(tmp_path / "migrations", "a1", None, LOG, "op.drop_table('log')")
    caller(alembic, "upgrade")
    app.config["ALEMBIC_SESSION"] = {"search_path": "tenant", "statement_timeout": 0}
    assert caller(alembic, "current") == ()
    assert caller(alembic, "needs_upgrade") is True
    assert caller(alembic, "status")["default"].state == "empty"
    assert [each[0] for each in caller(alembic, "compare_metadata")] == ["add_table"]

    with caller.inside(app):
        assert caller.context(alembic, "get_current_revision") is None

    assert ids(caller(alembic, "upgrade")) == ["a1"]
    assert ids(caller(alembic, "current")) == ["a1"]
    assert caller(alembic, "status")["default"].state == "current"
    assert caller(alembic, "compare_metadata") == []
    caller(alembic, "wait_until_current")
    assert ids(caller(alembic, "downgrade", "base")) == ["a1"]
    app.config["ALEMBIC_SESSION"] = {}
    assert ids(caller(alembic, "current")) == ["a1"]
    path = caller.query(engine, "SHOW search_path")
    assert path == [('"$user", public',)]


@on([by_id("postgresql-psycopg2"), by_id("postgresql-psycopg-async")])
def test_a_connection_that_the_app_shares_gets_back_the_sources_of_settings(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """A value that is put back would hide later changes of the server's settings."""
    engine = engines(backend, poolclass=sa.StaticPool)
    app = make_app("flask", tmp_path)
    settings = {"lock_timeout": "7s", "statement_timeout": "8s", "shop.tenant": "acme"}
    app.config["ALEMBIC_SESSION"] = settings
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)
    write_revision(tmp_path / "migrations", "a1")
    query = (
        "SELECT name, setting, source FROM pg_settings"
        " WHERE name IN ('lock_timeout', 'statement_timeout') ORDER BY name"
    )
    caller.execute(engine, "SET lock_timeout = '3s'")
    before = caller.query(engine, query)
    assert {row[2] for row in before} >= {"session"}
    caller(alembic, "current")
    assert caller.query(engine, query) == before
    caller(alembic, "upgrade")
    assert caller.query(engine, query) == before
    tenant = "SELECT current_setting('shop.tenant', true)"
    assert caller.query(engine, tenant) in ([("",)], [(None,)])


class Other(SQLiteDialect_pysqlite):
    """A database that this package has never heard of."""

    name = "other"
    supports_statement_cache = True


class OtherImpl(SQLiteImpl):
    """What tells Alembic of it."""

    __dialect__ = "other"


def test_any_other_database_is_migrated_as_alembic_does(
    caller: Caller, tmp_path: Path
) -> None:
    sa.dialects.registry.register("other", __name__, "Other")
    engine = sa.create_engine(f"other:///{tmp_path}/other.db")
    app = make_app("flask", tmp_path, ALEMBIC_RETRIES=3)
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)
    write_revision(tmp_path / "migrations", "a1", None, LOG)
    write_revision(tmp_path / "migrations", "a2", "a1", "op.execute('SELECT nonsense')")
    app.config["ALEMBIC_SESSION"] = {"cache_size": 1}

    with pytest.raises(ConfigurationError, match="cannot be used with this database"):
        caller(alembic, "upgrade")

    app.config["ALEMBIC_SESSION"] = {}
    assert ids(caller(alembic, "upgrade", "a1")) == ["a1"]

    with pytest.raises(MigrationError, match="no such column: nonsense"):
        caller(alembic, "upgrade")

    assert caller.versions(engine) == ["a1"]
    engine.dispose()


#: How long a revision waits for the lock of a table.
SHORT: dict[str, dict[str, Any]] = {
    "postgresql": {"lock_timeout": "100ms"},
    "mariadb": {"lock_wait_timeout": 1},
    "sqlite": {"busy_timeout": 100},
}
ADD = "op.add_column('log', sa.Column('x', sa.Integer))"


@contextlib.contextmanager
def reading(twin: Twin) -> Iterator[Callable[[], None]]:
    """A transaction that reads a table, and so keeps others from changing it, until
    what this gives is called.
    """
    engine = twin.engines(twin.backend, twin.engine.url)
    end, is_reading = threading.Event(), threading.Event()

    def read() -> None:
        if twin.backend.database == "sqlite":
            with contextlib.closing(sqlite3.connect(str(engine.url.database))) as c:
                c.execute("BEGIN")
                c.execute("SELECT id FROM log").fetchall()
                is_reading.set()
                end.wait(30)
                return

        other = sa.create_engine(blocking_url(engine.url), poolclass=sa.NullPool)

        with other.connect() as connection:
            connection.exec_driver_sql("SELECT id AS the_reader FROM log").all()
            is_reading.set()
            end.wait(30)

    thread = threading.Thread(target=read)
    thread.start()
    assert is_reading.wait(10)

    try:
        yield end.set
    finally:
        end.set()
        thread.join()


@pytest.fixture
def sees_transactions(
    backend: Backend, request: pytest.FixtureRequest
) -> Iterator[None]:
    """Give the user of MariaDB the privilege to see who is in a transaction."""
    if backend.database != "mariadb":
        yield
        return

    server: MariaDBServer = request.getfixturevalue("mariadb_server")
    user = f"{USER}@'127.0.0.1'"
    server.execute(f"GRANT PROCESS ON *.* TO {user}")
    yield
    server.execute(f"REVOKE PROCESS ON *.* FROM {user}")


@on_shared_backends
@pytest.mark.usefixtures("sees_transactions")
def test_what_cannot_get_its_lock_says_who_has_it(twin: Twin) -> None:
    """Without that, nobody knows what to do but try again at night."""
    twin.history(LOG)
    twin.upgrade()
    twin.app.config["ALEMBIC_SESSION"] = SHORT[twin.backend.database]
    twin.history(LOG, ADD)

    with reading(twin), pytest.raises(AsyncAlembicError, match="blocked by pid") as e:
        twin.upgrade()

    blocker: Any = getattr(e.value, "blocker", None)
    assert f"pid {blocker.pid}" in str(e.value)

    if twin.backend.database == "postgresql":
        assert "the_reader" in blocker.query
        assert "the_reader" in str(e.value)
        assert e.value.revision == "a2"  # type: ignore[attr-defined]

    assert twin.caller.versions(twin.engine) == ["a1"]
    assert twin.caller.columns(twin.engine, "log") == {"id"}
    assert twin.upgrade() == ["a2"]


@on([by_id("mariadb-pymysql"), by_id("mariadb-asyncmy")])
@pytest.mark.usefixtures("sees_transactions")
def test_who_is_idle_is_not_blamed(twin: Twin) -> None:
    """Somebody could end that session."""
    twin.history(LOG)
    twin.upgrade()
    twin.app.config["ALEMBIC_SESSION"] = SHORT["mariadb"]
    twin.history(LOG, ADD)
    url = blocking_url(twin.engine.url)
    other = sa.create_engine(url, poolclass=sa.NullPool)

    with other.connect() as idle, other.connect() as reader:
        idle.exec_driver_sql("SELECT 1")
        idle.rollback()
        # The server counts in seconds.
        time.sleep(1.1)
        reader.exec_driver_sql("SELECT * FROM log")

        with pytest.raises(MigrationError) as e:
            twin.upgrade()

        assert e.value.blocker is not None
        pid = reader.exec_driver_sql("SELECT CONNECTION_ID()").scalar()
        assert e.value.blocker.pid == pid


@on([by_id("mariadb-pymysql"), by_id("mariadb-asyncmy")])
def test_without_the_privilege_nobody_is_blamed(twin: Twin) -> None:
    twin.history(LOG)
    twin.upgrade()
    twin.app.config["ALEMBIC_SESSION"] = SHORT["mariadb"]
    twin.history(LOG, ADD)

    with reading(twin), pytest.raises(MigrationError) as e:
        twin.upgrade()

    assert e.value.blocker is None
    assert str(e.value).endswith(
        "It conflicted with another transaction: set app.config['ALEMBIC_RETRIES'] or"
        " wait, and run the upgrade again."
    )


@on_shared_backends
def test_what_cannot_get_its_lock_is_tried_again(
    twin: Twin, caplog: pytest.LogCaptureFixture
) -> None:
    twin.history(LOG)
    twin.upgrade()
    twin.app.config["ALEMBIC_SESSION"] = SHORT[twin.backend.database]
    twin.app.config["ALEMBIC_RETRIES"] = 50
    twin.history(LOG, INSERT.format(1), ADD)

    with reading(twin) as end:
        timer = threading.Timer(1.5, end)
        timer.start()
        # Each of them once, though the first one was rolled back in between.
        assert twin.upgrade() == ["a2", "a3"]
        timer.join()

    assert "Retrying, 1 of 50" in caplog.text
    assert twin.caller.query(twin.engine, "SELECT id, x FROM log") == [(1, None)]


@on([by_id("mariadb-pymysql"), by_id("mariadb-asyncmy")])
def test_what_is_half_done_is_not_tried_again(twin: Twin) -> None:
    """The statement before was committed, and would fail the second time."""
    twin.history(LOG)
    twin.upgrade()
    twin.app.config["ALEMBIC_SESSION"] = SHORT["mariadb"]
    twin.app.config["ALEMBIC_RETRIES"] = 50
    twin.history(LOG, f"op.create_table('more', sa.Column('id', sa.Integer))\n{ADD}")
    started = time.monotonic()

    with reading(twin), pytest.raises(MigrationError, match="Lock wait timeout"):
        twin.upgrade()

    assert time.monotonic() - started < 5
    made = {"log", "more", "alembic_version_partial"}
    assert twin.caller.tables(twin.engine) == made


@on_servers
def test_any_other_failure_is_not_tried_again(
    twin: Twin, caplog: pytest.LogCaptureFixture
) -> None:
    twin.app.config["ALEMBIC_RETRIES"] = 3
    twin.history(LOG, "op.execute('SELECT nonsense')")

    with pytest.raises(MigrationError, match="nonsense"):
        twin.upgrade()

    assert "Retrying" not in caplog.text
