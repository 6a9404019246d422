"""Which statements of a revision that fails are said to be applied."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from ...backends import by_id
from ...backends import on
from ...direct import blocking_url
from ...direct import execute
from ...harness import awaited_only
from ...harness import ids
from ...harness import write_revision
from .shop import on_one_driver
from .shop import Shop


@on_one_driver
@awaited_only
def test_an_own_commit_counts(shop: Shop) -> None:
    body = """
        op.execute("INSERT INTO users VALUES (1)")
        op.get_bind().commit()
        op.execute("INSERT INTO users VALUES (2)")
        raise ValueError
    """
    write_revision(shop.folder, "a2", "a1", body)
    partial = shop.fail()
    assert partial is not None
    assert partial.applied == ("INSERT INTO users VALUES (1)",)
    assert shop.query("SELECT * FROM users") == [(1,)]


@on_one_driver
@awaited_only
def test_what_a_revision_rolls_back_itself_does_not_count(shop: Shop) -> None:
    body = """
        bind = op.get_bind()
        op.execute("INSERT INTO users VALUES (1)")
        bind.rollback()

        with bind.begin_nested():
            op.execute("INSERT INTO users VALUES (2)")

        try:
            with bind.begin_nested():
                op.execute("INSERT INTO users VALUES (3)")
                op.execute("INSERT INTO nowhere VALUES (3)")
        except sa.exc.ProgrammingError:
            op.execute("CREATE TABLE nowhere (x INT)")

        try:
            op.execute("INSERT INTO users VALUES (4)")
            op.execute("CREATE TABLE nowhere (x INT)")
        except sa.exc.OperationalError:
            pass

        op.execute("INSERT INTO users VALUES (5)")
        raise ValueError
    """
    write_revision(shop.folder, "a2", "a1", body)
    partial = shop.fail()
    assert partial is not None
    assert [statement[-3:] for statement in partial.applied] == ["(2)", "NT)", "(4)"]
    assert shop.query("SELECT * FROM users") == [(2,), (4,)]


@on_one_driver
@awaited_only
def test_everything_counts_in_autocommit_mode(shop: Shop) -> None:
    body = """
        with op.get_context().autocommit_block():
            op.execute("INSERT INTO users VALUES (1)")
            raise ValueError
    """
    write_revision(shop.folder, "a2", "a1", body)
    partial = shop.fail()
    assert partial is not None
    assert partial.applied == ("INSERT INTO users VALUES (1)",)


#: What the server does with a row that was inserted before, if it is rolled back then.
STATEMENTS = [
    *(
        "CREATE TABLE b (x INT)",
        "CREATE TABLE b SELECT 1 AS x",
        "CREATE INDEX i ON t (x)",
    ),
    *(
        "CREATE TEMPORARY TABLE b (x INT)",
        "CREATE OR REPLACE TEMPORARY TABLE b (x INT)",
    ),
    *(
        "DROP TABLE IF EXISTS b",
        "DROP TEMPORARY TABLE IF EXISTS b",
        "DROP INDEX j ON t",
    ),
    *("ALTER TABLE t ADD y INT", "RENAME TABLE t TO u", "TRUNCATE other"),
    *("/* x */ ALTER TABLE t ADD y INT", "-- x\nALTER TABLE t ADD y INT", "COMMIT"),
    *("# x\n  alter table t add y int", "ANALYZE TABLE t", "OPTIMIZE TABLE other"),
    *("INSERT INTO t VALUES (2)", "UPDATE t SET x = 2", "DELETE FROM other", "DO 1"),
    *("SELECT 1", "SHOW TABLES", "SET @x = 1", "SAVEPOINT s", "START TRANSACTION"),
    *("BEGIN", "SET autocommit = 1", "SET SESSION autocommit = 1", "FLUSH TABLES"),
    *(
        "CREATE VIEW v AS SELECT 1",
        "GRANT SELECT ON t TO CURRENT_USER",
        "SET sql_mode=''",
    ),
    *(
        "CREATE PROCEDURE p() SELECT 1",
        "LOCK TABLES t WRITE",
        "REPLACE INTO t VALUES (3)",
    ),
    *("EXPLAIN SELECT 1", "CHECK TABLE t", "CREATE FUNCTION f() RETURNS INT RETURN 1"),
    # These fail, and commit before they do, or not.
    *("ALTER TABLE nope ADD y INT", "CREATE TABLE t (x INT)", "DROP TABLE nope"),
    *("INSERT INTO nope VALUES (1)", "ALTER nothing", "CREATE nothing", "UPDATE t SET"),
]


@on([by_id("mariadb-pymysql")])
@awaited_only
@pytest.mark.parametrize("statement", STATEMENTS)
def test_what_is_said_to_be_applied_is_what_the_server_kept(
    statement: str, shop: Shop
) -> None:
    shop.execute("CREATE TABLE t (x INT, KEY j (x))", "CREATE TABLE other (x INT)")
    write_revision(shop.folder, "a1", None, "pass")
    body = f"op.execute('INSERT INTO t VALUES (1)'); op.execute({statement!r}); 1 / 0"
    write_revision(shop.folder, "a2", "a1", body)
    partial = shop.fail()
    table = "u" if statement.startswith("RENAME") else "t"
    was_kept = bool(shop.query(f"SELECT * FROM {table}"))
    assert (partial is not None) is was_kept

    if partial is not None:
        # Some statements commit, and begin a transaction at once.
        may_be_applied = partial.applied + partial.uncertain
        assert "INSERT INTO t VALUES (1)" in may_be_applied


ALTER = "ALTER TABLE t ADD y INT"


@on([by_id("mariadb-pymysql"), by_id("mariadb-asyncmy")])
@awaited_only
def test_what_does_not_reach_the_server_is_not_applied(shop: Shop) -> None:
    """The server ends the session, and rolls back its transaction."""
    engine = getattr(shop.engine, "sync_engine", shop.engine)
    last = "ALTER TABLE nowhere ADD name VARCHAR(20)"

    @sa.event.listens_for(engine, "before_cursor_execute")
    def end(connection: Any, cursor: Any, statement: str, *args: Any) -> None:
        if statement == last:
            pid = connection.connection.driver_connection.thread_id()
            execute(shop.engine.url, "KILL %s", pid)

    partial = shop.fail()
    assert partial is not None
    assert len(partial.applied) == 2
    assert (partial.failed, partial.interrupted) == (last, False)
    assert shop.query("SELECT count(*) FROM users") == [(1,)]
    assert shop.refuse().partial == partial


@on([by_id("mariadb-pymysql"), by_id("mariadb-asyncmy")])
@awaited_only
def test_what_is_interrupted_may_be_applied(shop: Shop) -> None:
    """It has committed what came before it, and waits for a lock. Nobody says whether
    it got it.
    """
    shop.execute("CREATE TABLE t (x INT)")
    insert = "INSERT INTO t VALUES (1)"
    body = f"op.execute({insert!r})\nop.execute({ALTER!r})"
    write_revision(shop.folder, "a1", None, "pass")
    write_revision(shop.folder, "a2", "a1", body)

    with killed_while_it_waits(shop, ALTER, "t"):
        partial = shop.fail()

    assert shop.query("SELECT * FROM t") == [(1,)]
    assert partial is not None
    assert (partial.applied, partial.failed) == ((), ALTER)
    assert (partial.interrupted, partial.uncertain) == (True, (insert,))
    assert f"may also be applied, together with [{insert}]." in str(partial)
    assert shop.refuse().partial == partial
    # As if an earlier attempt to resume it was killed.
    shop.execute("INSERT INTO alembic_version_partial (position) VALUES (-1)")
    # It is not applied, but the rows before it are.
    assert ids(shop.call("upgrade", resume=True)) == ["a2"]
    assert shop.query("SELECT * FROM t") == [(1, None)]
    assert not shop.has_record


@contextlib.contextmanager
def killed_while_it_waits(shop: Shop, statement: str, table: str) -> Iterator[None]:
    """End the session that executes a statement while it waits for a table."""
    waiting = (
        "SELECT id FROM information_schema.processlist WHERE info = %s AND state"
        " LIKE 'Waiting for table metadata lock'"
    )
    engine = sa.create_engine(blocking_url(shop.engine.url), poolclass=sa.NullPool)

    def kill() -> None:
        with engine.connect() as other:
            while not (found := other.exec_driver_sql(waiting, (statement,)).all()):
                time.sleep(0.05)

            other.exec_driver_sql("KILL %s", (found[0][0],))

    with engine.connect() as reader:
        reader.exec_driver_sql(f"SELECT * FROM {table}")
        thread = threading.Thread(target=kill)
        thread.start()
        yield
        thread.join()
