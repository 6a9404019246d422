"""One migrator at a time, on every database that several can reach."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import itertools
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic import AsyncAlembicError
from async_alembic import ConfigurationError
from async_alembic import DatabaseError
from async_alembic import LockLostError
from async_alembic import LockTimeout
from async_alembic import LockUnavailableError
from async_alembic.dialects import digest
from async_alembic.migration import locking
from async_alembic.migration.locking import backoff

from .apps import AnyEngine
from .apps import awaited_only
from .apps import Caller
from .apps import create_table
from .apps import ids
from .apps import make_app
from .apps import one_connection
from .apps import queries_of
from .apps import write_revision
from .backends import Backend
from .backends import by_id
from .backends import EngineFactory
from .backends import on
from .backends import POSTGRESQL_BACKENDS
from .backends import SHARED_BACKENDS
from .conftest import require
from .direct import execute
from .servers import GaleraServer

#: Drivers with locks of a server, of each kind.
SERVER_BACKENDS = [b for b in SHARED_BACKENDS if b.database != "sqlite"]
SQLITE_FILES = [b for b in SHARED_BACKENDS if b.database == "sqlite"]
on_shared_backends = on(SHARED_BACKENDS)
on_servers = on(SERVER_BACKENDS)
on_postgresql = on(POSTGRESQL_BACKENDS)
on_sqlite_files = on(SQLITE_FILES)

ADVISORY_LOCKS = (
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = %s)"
)


class Site:
    """An app whose history makes the table "log" and has a revision that can be held.

    :param engine: The engine of this process, so to speak.
    """

    def __init__(self, engine: AnyEngine, root: Path, **config: Any) -> None:
        self.engine = engine
        self.migrations = root / "migrations"
        self.app = make_app("flask", root, **config)
        self.alembic = Alembic(self.app, metadatas=sa.MetaData(), engines=engine)
        self.running = threading.Event()
        self.go_on = threading.Event()
        self.app.config["ALEMBIC_CONTEXT"] |= {
            "running": self.running,
            "go_on": self.go_on,
        }

    def history(self, *upgrades: str) -> None:
        after = None

        for number, upgrade in enumerate(upgrades, 1):
            write_revision(self.migrations, f"a{number}", after, upgrade)
            after = f"a{number}"


def two_sites(
    backend: Backend, engines: EngineFactory, root: Path, **config: Any
) -> tuple[Site, Site]:
    """Two processes, so to speak, with one database.

    :param config: That of the second one.
    """
    first = Site(engines(backend), root / "one")
    return first, Site(engines(backend, first.engine.url), root / "two", **config)


#: Holds a revision until it is told to go on.
HOLD = """
opts = op.get_context().opts
opts["running"].set()
assert opts["go_on"].wait(30)
"""
LOG = create_table("log")
INSERT = "op.execute('INSERT INTO log VALUES ({})')"


@contextlib.contextmanager
def in_a_thread(fn: Callable[[], Any]) -> Iterator[Any]:
    """Call a function in a thread meanwhile; what it raises is raised at the end."""
    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(fn)
        yield future

    future.result()


@contextlib.contextmanager
def migrating(site: Site) -> Iterator[Any]:
    """Another process, so to speak, that is in the middle of a revision."""
    with in_a_thread(site.alembic.sync.upgrade) as future:
        assert site.running.wait(30)

        try:
            yield future
        finally:
            site.go_on.set()


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10

    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def sessions_with_locks(engine: AnyEngine) -> list[int]:
    rows = execute(engine.url, ADVISORY_LOCKS, engine.url.database)
    return [pid for (pid,) in rows]


@on_shared_backends
def test_a_second_migrator_finds_nothing_to_do(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """It waits for the first one, and looks again where the database is."""
    first, second = two_sites(backend, engines, tmp_path)

    for site in first, second:
        site.history(LOG, INSERT.format(1) + HOLD, INSERT.format(2))

    # Nothing holds the second one: it would apply what is not its turn.
    second.go_on.set()

    with migrating(first), in_a_thread(lambda: caller(second.alembic, "upgrade")) as up:
        time.sleep(0.3)
        assert not up.done()
        first.go_on.set()

    assert up.result() == []
    assert not second.running.is_set()
    assert caller.query(first.engine, "SELECT id FROM log ORDER BY id") == [(1,), (2,)]


@on_shared_backends
@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("upgrade", ("a3",)),
        ("downgrade", ("a1",)),
        ("stamp", ("a1",)),
        ("run_migrations", (lambda heads, context: [],)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whatever_changes_a_database_waits_for_its_turn(
    method: str,
    args: tuple[Any, ...],
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    first, second = two_sites(backend, engines, tmp_path)
    first.history(LOG, "pass")
    first.alembic.sync.upgrade()

    for site in first, second:
        site.history(LOG, "pass", HOLD)

    second.app.config["ALEMBIC_LOCK_TIMEOUT"] = 0.2

    with migrating(first):
        with pytest.raises(LockTimeout, match="'default'.*0.2 seconds"):
            caller(second.alembic, method, *args)

    second.app.config["ALEMBIC_LOCK_TIMEOUT"] = 10
    second.go_on.set()
    caller(second.alembic, method, *args)


@on_shared_backends
def test_at_head_no_lock_is_taken(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """Every worker comes by here at every start. A migrator that hangs must not stop
    those that have nothing to do.
    """
    first, second = two_sites(backend, engines, tmp_path)
    first.history(LOG)
    second.history(LOG)
    first.alembic.sync.upgrade()
    first.history(LOG, HOLD)
    # What SQLAlchemy itself asks at first.
    caller.query(second.engine, "SELECT 1")
    queries = queries_of(second.engine)

    with migrating(first):
        for _ in range(2):
            queries.clear()
            assert caller(second.alembic, "upgrade") == []
            assert len(queries) <= 2

        caller(second.alembic, "stamp")
        assert caller(second.alembic, "downgrade", "a1") == []


@on_servers
@pytest.mark.parametrize("options", ["one_connection", "NullPool"])
def test_the_lock_needs_no_connection_of_the_pool(
    options: str,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    pool = one_connection(backend) if options == "one_connection" else {}
    site = Site(engines(backend, **(pool or {"poolclass": sa.NullPool})), tmp_path)
    site.history(LOG)
    assert ids(caller(site.alembic, "upgrade")) == ["a1"]
    assert ids(caller(site.alembic, "downgrade")) == ["a1"]


@on_postgresql
def test_an_index_is_built_concurrently_while_others_wait(
    backend: Backend, engines: EngineFactory, tmp_path: Path
) -> None:
    """``CREATE INDEX CONCURRENTLY`` waits for every transaction that was begun before,
    and so forever for one that waits for the migration.
    """
    first = Site(engines(backend), tmp_path / "one")
    waiting = [
        Site(engines(backend, first.engine.url), tmp_path / f"waiting{number}")
        for number in range(3)
    ]
    index = (
        "with op.get_context().autocommit_block():\n"
        "    op.execute('CREATE INDEX CONCURRENTLY log_id ON log (id)')"
    )

    for site in [first, *waiting]:
        site.history(LOG, HOLD, index)
        site.app.config["ALEMBIC_LOCK_TIMEOUT"] = 30

    queries = [queries_of(site.engine) for site in waiting]

    with migrating(first), contextlib.ExitStack() as stack:
        for site in waiting:
            stack.enter_context(in_a_thread(site.alembic.sync.upgrade))

        # Until then they look where the database is, in a transaction that ends by
        # itself.
        wait_until(lambda: all("advisory_lock" in str(made) for made in queries))
        in_transactions = execute(
            first.engine.url,
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE state LIKE 'idle in transaction%%' AND datname = %s",
            first.engine.url.database,
        )
        first.go_on.set()

    assert not any(site.running.is_set() for site in waiting)
    # The migrator's own, in the middle of its revision.
    assert in_transactions == [(1,)]
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'log_id'::regclass"
    assert execute(first.engine.url, valid) == [(True,)]


SERVER_SESSIONS = {
    "postgresql": (
        "SELECT l.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE l.locktype = 'advisory' AND a.datname = current_database()"
        " AND a.state = 'idle'"
    ),
    "mariadb": "SELECT IS_USED_LOCK('async_alembic:{key}')",
}
END_SESSION = {
    "postgresql": "SELECT pg_terminate_backend(%s)",
    "mariadb": "KILL %s",
}


def end_the_lock(site: Site, backend: Backend) -> None:
    """End the session that has the lock and does nothing else."""
    key = digest(site.engine.url.database, "alembic_version")
    query = SERVER_SESSIONS[backend.database].format(key=key)
    [(pid,)] = execute(site.engine.url, query)
    execute(site.engine.url, END_SESSION[backend.database], pid)
    wait_until(lambda: execute(site.engine.url, query) in ([], [(None,)]))


@on_servers
@pytest.mark.parametrize("per_migration", [False, True], ids=["one", "one_each"])
def test_a_lost_lock_stops_the_migration_before_its_next_revision(
    per_migration: bool,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As when the server ends the session. To go on would be to go on unprotected."""
    context = {"transaction_per_migration": per_migration}
    site = Site(engines(backend), tmp_path, ALEMBIC_CONTEXT=context)
    site.history(LOG, INSERT.format(1) + HOLD, INSERT.format(2))

    def end_it() -> None:
        assert site.running.wait(30)
        end_the_lock(site, backend)
        site.go_on.set()

    with in_a_thread(end_it), pytest.raises(LockLostError, match="'default'.*pooler"):
        caller(site.alembic, "upgrade")

    is_atomic = backend.database == "postgresql" and not per_migration
    assert caller.versions(site.engine) == ([] if is_atomic else ["a2"])
    assert "was lost before it was released" in caplog.text
    applied = ["a1", "a2", "a3"] if is_atomic else ["a3"]
    assert ids(caller(site.alembic, "upgrade")) == applied


@on_servers
def test_a_lock_is_taken_over_from_a_migrator_that_has_died(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    first, second = two_sites(backend, engines, tmp_path)
    first.history("pass", HOLD)
    second.history("pass", LOG)
    end_all = {
        "postgresql": (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ),
        "mariadb": (
            "SELECT id FROM information_schema.processlist"
            " WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        ),
    }[backend.database]

    def upgrade_in_vain() -> None:
        with pytest.raises(AsyncAlembicError):
            first.alembic.sync.upgrade()

    with in_a_thread(upgrade_in_vain):
        assert first.running.wait(30)

        for (pid,) in execute(first.engine.url, end_all):
            if backend.database == "mariadb":
                execute(first.engine.url, "KILL %s", pid)

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
        # It was opened last.
        [(pid,)] = execute(
            first.engine.url,
            "SELECT max(id) FROM information_schema.processlist"
            " WHERE db = DATABASE() AND id <> CONNECTION_ID()",
        )
        execute(first.engine.url, "KILL %s", pid)

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
SLEEP = {"postgresql": "SELECT pg_sleep(3)", "mariadb": "SELECT SLEEP(3)"}


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
    marker = tmp_path / "running"
    sleep = SLEEP[backend.database]
    write_revision(
        tmp_path / "one/migrations",
        "a1",
        upgrade=f"__import__('pathlib').Path({str(marker)!r}).touch()\n"
        f"op.execute({sleep!r})",
    )
    url = site.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "one"), url]

    with subprocess.Popen(command) as process:
        while not marker.exists():
            assert process.poll() is None
            time.sleep(0.01)

        time.sleep(0.2)
        process.kill()

    with pytest.raises(LockTimeout, match="SLEEP|pg_sleep") as caught:
        caller(site.alembic, "upgrade")

    assert caught.value.holder is not None
    assert sleep in (caught.value.holder.query or "")
    site.app.config["ALEMBIC_LOCK_TIMEOUT"] = 30
    assert ids(caller(site.alembic, "upgrade")) == ["a1"]


@on_postgresql
def test_a_lock_that_was_lost_is_told_when_it_is_released(
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    site = Site(engines(backend), tmp_path)
    site.history(LOG, "op.execute('SELECT pg_advisory_unlock_all()')")
    assert ids(caller(site.alembic, "upgrade")) == ["a1", "a2"]
    assert caplog.text.count("was lost before it was released") == 1


@on_shared_backends
def test_without_the_lock_nobody_is_waited_for(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """As behind a pooler in transaction mode, or where one process migrates anyway."""
    first = Site(engines(backend), tmp_path / "one", ALEMBIC_LOCK=False)
    second = Site(
        engines(backend, first.engine.url), tmp_path / "two", ALEMBIC_LOCK=False
    )
    first.history("pass", HOLD)
    second.history("pass")

    with migrating(first):
        if backend.database == "postgresql":
            assert sessions_with_locks(first.engine) == []

        if backend.database == "mariadb":
            assert ids(caller(second.alembic, "upgrade")) in ([], ["a1"])

    assert caller.versions(first.engine) == ["a2"]


DIFFERENT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "version_table": ({}, {"version_table": "other_version"}),
    "schema": ({"version_table_schema": "one"}, {"version_table_schema": "two"}),
}


@on(
    [
        by_id("postgresql-psycopg2"),
        by_id("postgresql-asyncpg"),
        by_id("mariadb-pymysql"),
    ]
)
@pytest.mark.parametrize("what", [*DIFFERENT, "database"])
def test_what_is_not_the_same_history_of_one_database_does_not_wait(
    what: str,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    """As two apps with one database, or tenants with a schema each."""
    if (backend.database, what) == ("mariadb", "schema"):
        pytest.skip("A schema of MariaDB is a database.")

    engine = engines(backend)
    url = None if what == "database" else engine.url
    contexts = DIFFERENT.get(what, ({}, {}))
    first = Site(engine, tmp_path / "one", ALEMBIC_CONTEXT=contexts[0])
    second = Site(engines(backend, url), tmp_path / "two", ALEMBIC_CONTEXT=contexts[1])
    second.app.config["ALEMBIC_LOCK_TIMEOUT"] = 5
    first.history("pass", HOLD)
    second.history("pass")

    if what == "schema":
        caller.execute(engine, "CREATE SCHEMA one", "CREATE SCHEMA two")

    with migrating(first):
        assert ids(caller(second.alembic, "upgrade")) == ["a1"]


@on_servers
@awaited_only
def test_a_database_has_one_lock_by_whatever_url_it_is_reached(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    first = Site(engines(backend), tmp_path / "one")
    options = {
        "postgresql": {"connect_timeout": "9"},
        "mariadb": {"charset": "utf8mb4"},
    }
    url = first.engine.url

    if backend.driver == "asyncpg":
        options["postgresql"] = {"command_timeout": "60"}

    other = url.update_query_dict(options[backend.database])
    second = Site(engines(backend, other), tmp_path / "two", ALEMBIC_LOCK_TIMEOUT=0.2)
    first.history("pass", HOLD)
    second.history("pass", "pass")

    with migrating(first), pytest.raises(LockTimeout):
        caller(second.alembic, "upgrade")


APPLICATION = {
    "psycopg2": {"application_name": "shop worker"},
    "psycopg": {"application_name": "shop worker"},
    "asyncpg": {"server_settings": {"application_name": "shop worker"}},
}


@on(SERVER_BACKENDS)
def test_it_says_once_in_a_while_who_is_waited_for(
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(locking, "FIRST_NOTE", 0.2)
    options = APPLICATION.get(backend.driver, {})
    first = Site(engines(backend, connect_args=options), tmp_path / "one")
    url = first.engine.url
    second = Site(engines(backend, url), tmp_path / "two", ALEMBIC_LOCK_TIMEOUT=1)
    first.history("pass", HOLD)
    second.history("pass", "pass")
    started = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=2)

    with migrating(first), pytest.raises(LockTimeout) as caught:
        caller(second.alembic, "upgrade")

    error = caught.value
    assert (error.database, error.timeout) == ("default", 1)
    assert isinstance(error, TimeoutError)
    holder = error.holder
    assert holder is not None and holder.since is not None
    assert started <= holder.since <= dt.datetime.now(dt.UTC)
    assert (holder.address or "").startswith("127.0.0.1")
    name = "shop worker" if options else first.engine.url.username
    assert holder.application_name == name
    notes = [r.getMessage() for r in caplog.records if r.name == "async_alembic"]
    assert len(notes) == 1
    assert "'default'" in notes[0]

    for part in f"pid {holder.pid}", str(name), "127.0.0.1", str(holder.since.year):
        assert part in notes[0] and part in str(error)


@on_sqlite_files
@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux tells who has a lock.")
@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
def test_the_process_is_named_that_writes_to_a_file(
    journal: str,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    site = Site(engines(backend), tmp_path, ALEMBIC_LOCK_TIMEOUT=0.1)
    site.history(LOG)
    file = str(site.engine.url.database)

    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute(f"PRAGMA journal_mode={journal}")
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(LockTimeout, match="python") as caught:
            caller(site.alembic, "upgrade")

    assert caught.value.holder is not None
    assert caught.value.holder.pid == os.getpid()


@on_sqlite_files
@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
def test_nothing_is_left_beside_the_file_of_a_database(
    journal: str,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    runner: asyncio.Runner,
    tmp_path: Path,
) -> None:
    site = Site(engines(backend), tmp_path)
    site.history(LOG)
    file = Path(str(site.engine.url.database))
    execute(site.engine.url, f"PRAGMA journal_mode={journal}")
    caller(site.alembic, "upgrade")
    runner.run(engines.dispose())
    assert [path.name for path in file.parent.glob("*.db*")] == [file.name]


@on_sqlite_files
def test_a_file_that_is_being_written_can_be_waited_for_from_the_start(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """A large transaction locks the file for readers too, before it is committed."""
    site = Site(engines(backend, connect_args={"timeout": 0.05}), tmp_path)
    site.history(LOG)
    file = str(site.engine.url.database)
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")

    def give_up() -> None:
        time.sleep(0.5)
        other.close()

    with in_a_thread(give_up):
        assert ids(caller(site.alembic, "upgrade")) == ["a1"]


@on_shared_backends
async def test_who_waits_can_be_cancelled(
    backend: Backend, engine_for: EngineFactory, tmp_path: Path
) -> None:
    first = Site(engine_for(backend), tmp_path / "one")
    second = Site(engine_for(backend, first.engine.url), tmp_path / "two")
    first.history("pass", HOLD)
    second.history("pass", LOG)
    upgrade = asyncio.create_task(asyncio.to_thread(first.alembic.sync.upgrade))
    assert await asyncio.to_thread(first.running.wait, 30)
    started = time.monotonic()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(second.alembic.upgrade(), 0.3)

    assert time.monotonic() - started < 5
    first.go_on.set()
    await upgrade


@on([by_id("mariadb-pymysql"), by_id("mariadb-asyncmy")])
@awaited_only
def test_a_cluster_whose_nodes_have_locks_of_their_own_is_refused(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """Two migrators can be connected to two nodes."""
    require(GaleraServer.missing())

    with GaleraServer() as server:
        server.create_database("test_cluster")
        url = server.url(backend.drivername, "test_cluster")
        site = Site(engines(backend, url, poolclass=sa.NullPool), tmp_path)
        site.history(LOG)

        with pytest.raises(LockUnavailableError, match="Galera.*'ALEMBIC_LOCK'"):
            caller(site.alembic, "upgrade")

        assert caller.tables(site.engine) == set()
        site.app.config["ALEMBIC_LOCK"] = False
        assert ids(caller(site.alembic, "upgrade")) == ["a1"]


def test_delays_grow_and_are_random_and_short() -> None:
    delays = [next(itertools.islice(backoff(), n, None)) for n in range(20)]
    assert all(0 < delay <= 1 for delay in delays)
    assert delays[0] <= 0.005
    assert all(delay >= 0.5 for delay in delays[8:])
    assert len(set(delays)) == len(delays)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ALEMBIC_LOCK_TIMEOUT", "soon"),
        ("ALEMBIC_LOCK_TIMEOUT", -1),
        ("ALEMBIC_LOCK_TIMEOUT", None),
        ("ALEMBIC_RETRIES", 1.5),
        ("ALEMBIC_RETRIES", True),
        ("ALEMBIC_SESSION", "lock_timeout"),
        ("ALEMBIC_SESSION", {"lock_timeout": None}),
        ("ALEMBIC_SESSION", {"default": {"lock_timeout": []}}),
    ],
)
@on([by_id("sqlite-sqlite3")])
def test_a_setting_that_cannot_be_used_is_named(
    key: str,
    value: object,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    site = Site(engines(backend), tmp_path, **{key: value})
    site.history(LOG)

    with pytest.raises(ConfigurationError, match=key):
        caller(site.alembic, "upgrade")

    assert caller.tables(site.engine) == set()
