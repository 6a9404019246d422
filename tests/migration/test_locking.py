"""One migrator at a time, on every database that several can reach."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import LockTimeout

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..conftest import require
from ..direct import execute
from ..harness import AnyEngine
from ..harness import awaited_only
from ..harness import Caller
from ..harness import ids
from ..harness import one_connection
from ..harness import queries_of
from ..servers import GaleraServer
from .sites import HOLD
from .sites import in_a_thread
from .sites import INSERT
from .sites import LOG
from .sites import migrating
from .sites import on_postgresql
from .sites import on_servers
from .sites import on_shared_backends
from .sites import Site
from .sites import two_sites
from .sites import wait_until

ADVISORY_LOCKS = (
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = %s)"
)


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
        with pytest.raises(LockTimeout, match="'default'.*0.2 s, because"):
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


@on_shared_backends
@pytest.mark.parametrize("lock", [True, "lease", False])
def test_the_status_says_who_is_migrating(
    lock: bool | str,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    """With what a message of one who waits says. It changes nothing."""
    first, second = two_sites(backend, engines, tmp_path)

    for site in first, second:
        site.history(LOG)
        site.app.config["ALEMBIC_LOCK"] = lock

    def look() -> Any:
        return caller(second.alembic, "status", details=True)["default"]

    assert look().lock_holder is None
    assert caller.tables(second.engine) == set()
    first.alembic.sync.upgrade()
    first.history(LOG, HOLD)

    with migrating(first):
        status = look()
        assert (status.lock_holder is None) == (lock is False)
        assert status.state == "current"
        assert caller(second.alembic, "status")["default"].lock_holder is None

    assert look().lock_holder is None


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

        def in_transactions() -> list[tuple[int]]:
            return execute(
                first.engine.url,
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE state LIKE 'idle in transaction%%' AND datname = %s",
                first.engine.url.database,
            )

        # The migrator's own, in the middle of its revision. An attempt of the others is
        # a transaction that ends by itself.
        wait_until(lambda: in_transactions() == [(1,)])
        first.go_on.set()

    assert not any(site.running.is_set() for site in waiting)
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'log_id'::regclass"
    assert execute(first.engine.url, valid) == [(True,)]


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


@on([by_id("mariadb-pymysql"), by_id("mariadb-asyncmy")])
@awaited_only
def test_a_cluster_whose_nodes_have_locks_of_their_own_has_a_lease(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """Two migrators can be connected to two nodes."""
    require(GaleraServer.missing())

    with GaleraServer() as server:
        server.create_database("test_cluster")
        url = server.url(backend.drivername, "test_cluster")
        options = {"poolclass": sa.NullPool}
        first = Site(engines(backend, url, **options), tmp_path / "one")
        second = Site(engines(backend, url, **options), tmp_path / "two")
        second.app.config["ALEMBIC_LOCK_TIMEOUT"] = 0.2

        for site in first, second:
            site.history(LOG, HOLD)

        with migrating(first), pytest.raises(LockTimeout):
            caller(second.alembic, "upgrade")

        assert caller.versions(first.engine) == ["a2"]
