"""What conflicts with another transaction on Galera is rolled back as a whole, also if
the statement that fails would have committed it elsewhere.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from async_alembic import MigrationError

from ...backends import Backend
from ...backends import by_id
from ...backends import EngineFactory
from ...backends import MARIADB_BACKENDS
from ...backends import on
from ...conftest import require
from ...direct import blocking_url
from ...direct import execute
from ...harness import awaited_only
from ...harness import Caller
from ...harness import ids
from ...harness import write_revision
from ...servers import GaleraCluster
from ...servers import GaleraServer
from ...servers import MariaDBServer
from .shop import Shop

UPDATE = "UPDATE t SET v = v + 100"
ALTER = "ALTER TABLE o ADD z INT"
#: On one node, this is what a write of another one is: nobody waits for it.
CONFLICT = "ALTER TABLE t COMMENT 'x'"


@pytest.fixture(scope="module")
def galera() -> Iterator[GaleraServer]:
    require(GaleraServer.missing())

    with GaleraServer() as server:
        yield server


def shop_on(
    server: MariaDBServer,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    root: Path,
    **config: Any,
) -> Shop:
    """An app on a new database. Its second revision is for the test to write."""
    name = f"test_{uuid4().hex}"
    server.create_database(name)
    engine = engines(
        backend, server.url(backend.drivername, name), poolclass=sa.NullPool
    )
    shop = Shop(caller, engine, root, ALEMBIC_LOCK=False, **config)
    write_revision(shop.folder, "a1")
    write_revision(shop.folder, "a2", "a1")
    shop.execute("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
    shop.execute("CREATE TABLE o (id INT PRIMARY KEY)")
    shop.execute("INSERT INTO t VALUES (1, 2)")
    shop.call("upgrade", "a1")
    return shop


@pytest.fixture
def shop(
    galera: GaleraServer,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> Shop:
    return shop_on(galera, backend, caller, engines, tmp_path)


def conflict_before(shop: Shop, event: str, statement: str | None = None) -> list[str]:
    """Let another session write what the revision has written, once.

    :param event: The event of SQLAlchemy before which it writes.
    :param statement: Only before this statement.
    """
    conflicts: list[str] = []

    def write(*args: Any) -> None:
        if not conflicts and statement in {None, *args[2:3]}:
            conflicts.append(CONFLICT)
            execute(shop.engine.url, CONFLICT)

    engine = getattr(shop.engine, "sync_engine", shop.engine)
    sa.event.listen(engine, event, write)
    return conflicts


def body(*statements: str) -> str:
    return "\n".join(f"op.execute({statement!r})" for statement in statements)


on_galera = on(MARIADB_BACKENDS)


@on_galera
@awaited_only
@pytest.mark.parametrize("failed", [ALTER, "DELETE FROM o", "SELECT 1"])
def test_nothing_is_left_of_what_conflicts(failed: str, shop: Shop) -> None:
    write_revision(shop.folder, "a2", "a1", body(UPDATE, failed))
    conflict_before(shop, "before_cursor_execute", failed)

    with pytest.raises(MigrationError, match="1213") as caught:
        shop.call("upgrade")

    assert caught.value.partial is None
    assert caught.value.blocker is None
    assert "'ALEMBIC_RETRIES'" in str(caught.value)
    assert not shop.has_record
    assert shop.query("SELECT v FROM t") == [(2,)]
    assert shop.caller.columns(shop.engine, "o") == {"id"}
    assert ids(shop.call("upgrade")) == ["a2"]


@on_galera
@awaited_only
def test_a_commit_that_conflicts_leaves_nothing(shop: Shop) -> None:
    write_revision(shop.folder, "a2", "a1", body(UPDATE))
    conflicts = conflict_before(shop, "commit")
    assert shop.fail() is None
    assert conflicts
    assert not shop.has_record
    assert shop.query("SELECT v FROM t") == [(2,)]


@on_galera
@awaited_only
def test_what_was_committed_before_is_recorded(shop: Shop) -> None:
    """Without what came after it."""
    create = "CREATE TABLE more (id INT PRIMARY KEY)"
    write_revision(shop.folder, "a2", "a1", body(create, UPDATE, ALTER))
    conflict_before(shop, "before_cursor_execute", ALTER)
    partial = shop.fail()
    assert partial is not None
    assert partial.applied == (create,)
    assert (partial.failed, partial.interrupted, partial.uncertain) == (
        ALTER,
        False,
        (),
    )
    assert shop.refuse().partial == partial


@on_galera
@awaited_only
def test_what_conflicts_is_tried_again(shop: Shop) -> None:
    shop.config["ALEMBIC_RETRIES"] = 1
    write_revision(shop.folder, "a2", "a1", body(UPDATE, ALTER))
    conflicts = conflict_before(shop, "before_cursor_execute", ALTER)
    assert ids(shop.call("upgrade")) == ["a2"]
    assert conflicts
    assert shop.query("SELECT v FROM t") == [(102,)]


@on([by_id("mariadb-asyncmy")])
@awaited_only
def test_what_conflicts_with_another_node_is_tried_again(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """There, the commit of the statement that fails is not certified."""
    require(GaleraCluster.missing())

    with GaleraCluster(nodes=2) as cluster:
        first, second = cluster.nodes
        shop = shop_on(first, backend, caller, engines, tmp_path, ALEMBIC_RETRIES=1)
        write_revision(shop.folder, "a2", "a1", body(UPDATE, ALTER))
        name = shop.engine.url.database
        written: list[str] = []
        engine = getattr(shop.engine, "sync_engine", shop.engine)

        @sa.event.listens_for(engine, "before_cursor_execute")
        def write(*args: Any) -> None:
            if args[2] == ALTER and not written:
                written.append(ALTER)
                second.execute(f"UPDATE {name}.t SET v = 7")

        assert ids(shop.call("upgrade")) == ["a2"]
        assert written
        assert shop.query("SELECT v FROM t") == [(107,)]
        assert second.execute(f"SELECT v FROM {name}.t") == [(107,)]


@on([by_id("mariadb-pymysql"), by_id("mariadb-asyncmy")])
@awaited_only
@pytest.mark.parametrize("cluster", [True, False], ids=["Galera", "MariaDB"])
def test_rows_that_a_statement_reads_can_deadlock_after_its_commit(
    cluster: bool,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """So what came before it may be there. It is, also on Galera."""
    server = request.getfixturevalue("galera" if cluster else "mariadb_server")
    shop = shop_on(server, backend, caller, engines, tmp_path)
    insert, create = "INSERT INTO o VALUES (1)", "CREATE TABLE c SELECT * FROM t"
    write_revision(shop.folder, "a2", "a1", body(insert, create))
    shop.execute("INSERT INTO t VALUES (2, 2)", "CREATE TABLE big (id INT PRIMARY KEY)")
    other_engine = sa.create_engine(
        blocking_url(shop.engine.url), poolclass=sa.NullPool
    )

    with other_engine.connect() as other:
        # Whoever has written least is chosen to be rolled back.
        other.exec_driver_sql("INSERT INTO big SELECT seq FROM seq_1_to_1000")
        other.exec_driver_sql("UPDATE t SET v = 9 WHERE id = 2")

        def deadlock() -> None:
            waiting = "SELECT count(*) FROM information_schema.innodb_lock_waits"

            while server.execute(waiting) == [(0,)]:
                # Asked more often, the server repeats what it said.
                time.sleep(0.2)

            other.exec_driver_sql("UPDATE t SET v = 9 WHERE id = 1")
            other.rollback()

        thread = threading.Thread(target=deadlock)
        engine = getattr(shop.engine, "sync_engine", shop.engine)

        @sa.event.listens_for(engine, "before_cursor_execute")
        def start(*args: Any) -> None:
            if args[2] == create:
                thread.start()

        with pytest.raises(MigrationError, match="1213") as caught:
            shop.call("upgrade")

        thread.join()

    assert shop.query("SELECT id FROM o") == [(1,)]
    partial = caught.value.partial
    assert partial is not None
    assert partial.failed == create
    assert partial.applied == (insert,)
    server.execute(f"DROP DATABASE {shop.engine.url.database}")
