"""Locks whose session or process has ended."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from async_alembic import AsyncAlembicError
from async_alembic import DatabaseError
from async_alembic import LockLostError
from async_alembic import LockTimeout

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..direct import end_sessions
from ..direct import execute
from ..direct import sessions
from ..harness import awaited_only
from ..harness import Caller
from ..harness import ids
from ..harness import queries_of
from ..harness import write_revision
from .sites import HOLD
from .sites import in_a_thread
from .sites import INSERT
from .sites import LOG
from .sites import migrating
from .sites import on_postgresql
from .sites import on_servers
from .sites import Site
from .sites import two_sites
from .sites import wait_until

#: A revision that releases the lock, as what resets a session does.
RELEASE_ALL = {
    "postgresql": "op.execute('SELECT pg_advisory_unlock_all()')",
    "mariadb": "op.execute('SELECT RELEASE_ALL_LOCKS()')",
}


@on_servers
@pytest.mark.parametrize("per_migration", [False, True], ids=["one", "one_each"])
def test_a_lost_lock_stops_the_migration_before_its_next_revision(
    per_migration: bool,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    """To go on would be to go on unprotected. On PostgreSQL, a transaction keeps it."""
    context = {"transaction_per_migration": per_migration}
    site = Site(engines(backend), tmp_path, ALEMBIC_CONTEXT=context)
    site.history(LOG, RELEASE_ALL[backend.database], INSERT.format(2))

    if backend.database == "postgresql" and not per_migration:
        assert ids(caller(site.alembic, "upgrade")) == ["a1", "a2", "a3"]
        return

    with pytest.raises(LockLostError, match="'default'"):
        caller(site.alembic, "upgrade")

    assert caller.versions(site.engine) == ["a2"]
    assert ids(caller(site.alembic, "upgrade")) == ["a3"]


@on_postgresql
def test_a_revision_cannot_release_the_lock_of_its_transaction(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    first, second = two_sites(backend, engines, tmp_path, ALEMBIC_LOCK_TIMEOUT=0.2)
    first.history(LOG, RELEASE_ALL["postgresql"] + HOLD)
    second.history(LOG, "pass")

    with migrating(first), pytest.raises(LockTimeout):
        caller(second.alembic, "upgrade")


@on_servers
def test_a_lock_is_taken_over_from_a_migrator_that_has_died(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    first, second = two_sites(backend, engines, tmp_path)
    first.history("pass", HOLD)
    second.history("pass", LOG)

    def upgrade_in_vain() -> None:
        with pytest.raises(AsyncAlembicError):
            first.alembic.sync.upgrade()

    with in_a_thread(upgrade_in_vain):
        assert first.running.wait(30)

        end_sessions(first.engine.url)
        assert ids(caller(second.alembic, "upgrade")) in (["a1", "a2"], ["a2"])
        first.go_on.set()

    assert caller.tables(second.engine) == {"log"}


@on([by_id("mariadb-pymysql"), by_id("mariadb-asyncmy")])
def test_who_waits_is_told_that_the_server_has_ended_its_session(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    first, second = two_sites(backend, engines, tmp_path)
    first.history(LOG, HOLD)
    second.history(LOG, "pass")
    tries = queries_of(second.engine)

    def end_it() -> None:
        wait_until(lambda: any("GET_LOCK" in query for query in tries))
        # Its only session was opened last.
        end_sessions(first.engine.url, sessions(first.engine.url)[-1])

    with migrating(first), in_a_thread(end_it):
        with pytest.raises(DatabaseError, match="Lost connection|gone away|closed"):
            caller(second.alembic, "upgrade")


SCRIPT = """
import sys
from pathlib import Path
import sqlalchemy as sa
from flask import Flask
from async_alembic import SyncAlembic

root, url = sys.argv[1:]
app = Flask("shop", root_path=root)
engine = sa.create_engine(url)
SyncAlembic(app, metadatas=sa.MetaData(), engines=engine).upgrade()
"""
#: A statement that lasts until the test lets it end.
LONG = {
    "postgresql": "SELECT pg_advisory_lock(7)",
    "mariadb": "SELECT GET_LOCK('7', 60)",
}
RUNNING = {
    "postgresql": "SELECT 1 FROM pg_stat_activity"
    " WHERE query = %s AND state = 'active'",
    "mariadb": "SELECT 1 FROM information_schema.processlist WHERE info = %s",
}


@on([by_id("postgresql-psycopg2"), by_id("mariadb-pymysql")])
@awaited_only
def test_what_a_killed_process_has_left_running_is_waited_for(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """The server goes on with its statement, which can be an ``ALTER TABLE`` that takes
    minutes, and does not notice meanwhile that nobody is there.
    """
    site = Site(engines(backend), tmp_path / "two", ALEMBIC_LOCK_TIMEOUT=0.3)
    site.history(LOG)
    long = LONG[backend.database]
    write_revision(tmp_path / "one/migrations", "a1", upgrade=f"op.execute({long!r})")
    url = site.engine.url
    text = url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "one"), text]
    blocker = sa.create_engine(url, poolclass=sa.NullPool)

    with blocker.connect() as connection:
        connection.exec_driver_sql(long)
        running = RUNNING[backend.database]

        with subprocess.Popen(command) as process:
            while not execute(url, running, long):
                assert process.poll() is None
                time.sleep(0.01)

            process.kill()

        with pytest.raises(LockTimeout, match="GET_LOCK|pg_advisory_lock") as caught:
            caller(site.alembic, "upgrade")

    assert caught.value.holder is not None
    assert long in (caught.value.holder.query or "")
    site.app.config["ALEMBIC_LOCK_TIMEOUT"] = 30
    assert ids(caller(site.alembic, "upgrade")) == ["a1"]
