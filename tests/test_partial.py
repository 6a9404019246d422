"""What is done about a revision that fails half-way where DDL cannot be rolled back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import alembic.command
import alembic.config
import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic import MigrationError
from async_alembic import PartialRevision
from async_alembic import PartialRevisionError
from async_alembic.migration.environment import Environment

from .apps import AnyEngine
from .apps import awaited_only
from .apps import Caller
from .apps import ids
from .apps import make_app
from .apps import one_connection
from .apps import write_revision
from .backends import Backend
from .backends import by_id
from .backends import EngineFactory
from .backends import MARIADB_BACKENDS
from .backends import on
from .backends import POSTGRESQL_BACKENDS
from .direct import execute

on_mariadb = on(MARIADB_BACKENDS)
on_one_driver = on([by_id("mariadb-asyncmy")])

FIRST = "op.execute('CREATE TABLE users (id INT)')"
HALF = """
    op.execute("INSERT INTO users VALUES (1)")
    op.execute("ALTER TABLE users ADD name VARCHAR(20)")
    op.execute("INSERT INTO users VALUES (2, 'x')")
    op.execute("SELECT * FROM users")
    op.execute("ALTER TABLE nowhere ADD name VARCHAR(20)")
"""


class Shop:
    """An app on one database, with a history whose second revision fails half-way."""

    def __init__(self, caller: Caller, engine: AnyEngine, root: Path) -> None:
        self.caller = caller
        self.engine = engine
        self.folder = root / "migrations"
        write_revision(self.folder, "a1", None, FIRST, "op.execute('DROP TABLE users')")
        write_revision(self.folder, "a2", "a1", HALF)

    def again(self) -> Alembic:
        """The extension, as another process has it."""
        # The extension keeps no reference to it.
        self.app = make_app("quart", self.folder.parent)
        return Alembic(
            self.app, metadatas=sa.MetaData(), engines=self.engine, command_name=""
        )

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self.caller(self.again(), method, *args, **kwargs)

    def fail(self, method: str = "upgrade", *args: Any) -> PartialRevision | None:
        with pytest.raises(MigrationError) as caught:
            self.call(method, *args)

        return caught.value.partial

    def refuse(self, method: str = "upgrade", *args: Any) -> PartialRevisionError:
        with pytest.raises(PartialRevisionError) as caught:
            self.call(method, *args)

        return caught.value

    def execute(self, *statements: str) -> None:
        self.caller.execute(self.engine, *statements)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        return self.caller.query(self.engine, statement)

    @property
    def has_record(self) -> bool:
        return "alembic_version_partial" in self.caller.tables(self.engine)


@pytest.fixture
def shop(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> Shop:
    return Shop(caller, engines(backend, **one_connection(backend)), tmp_path)


@on_mariadb
def test_the_error_lists_what_was_applied_and_what_failed(shop: Shop) -> None:
    with pytest.raises(MigrationError) as caught:
        shop.call("upgrade")

    assert caught.value.partial == PartialRevision(
        database="default",
        revision="a2",
        direction="upgrade",
        target="a2",
        applied=(
            "INSERT INTO users VALUES (1)",
            "ALTER TABLE users ADD name VARCHAR(20)",
            "INSERT INTO users VALUES (2, 'x')",
        ),
        failed="ALTER TABLE nowhere ADD name VARCHAR(20)",
    )
    assert str(caught.value).endswith(
        "Revision a2 is half applied, as database 'default' commits at every DDL"
        " statement. Applied: [INSERT INTO users VALUES (1)], [ALTER TABLE users ADD"
        " name VARCHAR(20)], [INSERT INTO users VALUES (2, 'x')]; failed: [ALTER TABLE"
        " nowhere ADD name VARCHAR(20)]. Finish it by hand and run 'db stamp a2', or"
        " undo it by hand and run 'db upgrade --retry'."
    )
    assert shop.caller.versions(shop.engine) == ["a1"]
    # A statement that commits has done so before it fails.
    assert len(shop.query("SELECT * FROM users")) == 2


@on_mariadb
def test_the_next_upgrade_refuses_with_the_same_sentence(shop: Shop) -> None:
    """Instead of dying at the first duplicate column, or doing something twice."""
    partial = shop.fail()
    # Now it would pass.
    write_revision(
        shop.folder, "a2", "a1", "op.execute('CREATE TABLE nowhere (x INT)')"
    )

    for method in ("upgrade", "upgrade", "downgrade"):
        refused = shop.refuse(method)
        assert refused.partial == partial
        assert str(refused) == str(partial)

    assert shop.caller.tables(shop.engine).isdisjoint({"nowhere"})


@on_mariadb
def test_what_was_undone_by_hand_is_run_again(shop: Shop) -> None:
    shop.fail()
    shop.execute("DELETE FROM users", "ALTER TABLE users DROP name")
    shop.execute("CREATE TABLE nowhere (x INT)")
    assert ids(shop.call("upgrade", retry=True)) == ["a2"]
    assert not shop.has_record
    assert shop.call("upgrade") == []


@on_mariadb
def test_what_fails_again_is_kept_again(shop: Shop) -> None:
    shop.fail()
    shop.execute("DELETE FROM users", "ALTER TABLE users DROP name")
    write_revision(shop.folder, "a2", "a1", f"{FIRST.replace('users', 'x')}; 1 / 0")

    with pytest.raises(MigrationError, match="division by zero.*Applied") as caught:
        shop.call("upgrade", retry=True)

    assert caught.value.partial is not None
    assert caught.value.partial.failed is None
    assert shop.refuse().partial == caught.value.partial


@on_mariadb
def test_what_was_finished_by_hand_is_stamped(shop: Shop) -> None:
    shop.fail()
    shop.call("stamp", "a2")
    assert not shop.has_record
    assert shop.call("upgrade") == []


@on_mariadb
def test_stamping_where_the_database_is_clears_the_record_too(shop: Shop) -> None:
    shop.fail()
    shop.call("stamp", "a1")
    assert not shop.has_record
    # There is a column more by now.
    assert shop.fail() is None


@on_one_driver
@awaited_only
def test_another_tool_that_stamps_is_believed(shop: Shop) -> None:
    shop.fail()
    shop.execute("UPDATE alembic_version SET version_num = 'a2'")
    write_revision(shop.folder, "a3", "a2", FIRST.replace("users", "orders"))
    assert ids(shop.call("upgrade")) == ["a3"]


@on_mariadb
def test_what_was_rolled_back_leaves_no_record(shop: Shop) -> None:
    """Neither rows alone, nor a statement that the server cannot read."""
    insert = "op.execute('INSERT INTO users VALUES (1)')"

    for wrong in ("raise ValueError", "op.execute('ALTER TABL users ADD x INT')"):
        write_revision(shop.folder, "a2", "a1", f"{insert}; {wrong}")
        assert shop.fail() is None
        assert not shop.has_record
        assert shop.query("SELECT * FROM users") == []

    write_revision(shop.folder, "a2", "a1", insert)
    assert ids(shop.call("upgrade")) == ["a2"]


@on_mariadb
def test_a_revision_that_is_half_taken_back_is_kept(shop: Shop) -> None:
    down = "op.execute('DROP TABLE other'); raise ValueError"
    write_revision(shop.folder, "a2", "a1", FIRST.replace("users", "other"), down)
    shop.call("upgrade")
    partial = shop.fail("downgrade")
    assert partial is not None
    assert "half taken back" in str(partial)
    assert "'db stamp a1'" in str(partial)
    assert "'db downgrade --retry'" in str(partial)
    assert shop.refuse("downgrade").partial == partial
    shop.execute("CREATE TABLE other (id INT)")
    write_revision(shop.folder, "a2", "a1", "pass", "op.execute('DROP TABLE other')")
    assert ids(shop.call("downgrade", retry=True)) == ["a2"]
    assert not shop.has_record


@on_one_driver
@awaited_only
def test_the_first_revision_can_be_stamped_as_taken_back(shop: Shop) -> None:
    down = "op.execute('DROP TABLE users'); raise ValueError"
    write_revision(shop.folder, "a1", None, FIRST, down)
    write_revision(shop.folder, "b1", None, "pass")
    shop.call("upgrade", ["a1", "b1"])
    partial = shop.fail("downgrade", "a1@base")
    assert partial is not None
    shop.call("stamp", partial.target)
    assert shop.caller.versions(shop.engine) == ["b1"]
    assert not shop.has_record


@on_one_driver
@awaited_only
def test_each_revision_counts_for_itself(shop: Shop) -> None:
    """What came before the one that fails is done, and noted."""
    write_revision(shop.folder, "a2", "a1", "raise ValueError")
    assert shop.fail() is None
    assert shop.caller.versions(shop.engine) == ["a1"]


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


@on_one_driver
@awaited_only
def test_everything_counts_on_an_engine_in_autocommit_mode(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    shop = Shop(caller, engines(backend, isolation_level="AUTOCOMMIT"), tmp_path)
    write_revision(
        shop.folder,
        *("a2", "a1", "op.execute('INSERT INTO users VALUES (1)'); raise ValueError"),
    )
    partial = shop.fail()
    assert partial is not None
    assert partial.applied == ("INSERT INTO users VALUES (1)",)
    assert shop.refuse().partial == partial


@on_one_driver
@awaited_only
def test_the_record_is_beside_a_version_table_of_another_name(shop: Shop) -> None:
    shop.caller.execute(shop.engine, "CREATE TABLE users (id INT)")
    write_revision(shop.folder, "a1", None, "pass")
    app = make_app(
        "quart",
        shop.folder.parent,
        ALEMBIC_CONTEXT={"version_table": "revisions"},
    )
    alembic = Alembic(
        app, metadatas=sa.MetaData(), engines=shop.engine, command_name=""
    )

    with pytest.raises(MigrationError):
        shop.caller(alembic, "upgrade")

    assert "revisions_partial" in shop.caller.tables(shop.engine)

    with pytest.raises(PartialRevisionError):
        shop.caller(alembic, "upgrade")


@on_one_driver
@awaited_only
def test_long_statements_are_kept_whole(shop: Shop) -> None:
    """In any encoding, and longer than a TEXT may be."""
    long = f"COMMENT '{'é😀' * 200}'"
    many = f"INSERT INTO users VALUES {', '.join(['(1234567890)'] * 9000)}"
    body = f"""
        op.execute({many!r})
        op.execute({f"ALTER TABLE users ADD name VARCHAR(20) {long}"!r})
        raise ValueError
    """
    write_revision(shop.folder, "a2", "a1", body)
    partial = shop.fail()
    assert partial is not None
    assert partial.applied[0] == many
    assert "😀" in partial.applied[1]
    assert len(str(partial)) < 1000
    assert shop.refuse().partial == partial


@on(POSTGRESQL_BACKENDS[:1])
@awaited_only
def test_where_ddl_is_rolled_back_there_is_no_record(shop: Shop) -> None:
    assert shop.fail() is None
    assert not shop.has_record
    assert shop.query("SELECT 1") == [(1,)]
    assert "users" not in shop.caller.tables(shop.engine)


@on_mariadb
def test_a_plain_alembic_is_not_disturbed_by_the_record(
    shop: Shop, tmp_path: Path
) -> None:
    """It goes on, as it knows nothing of it."""
    shop.fail()
    scripts = tmp_path / "plain"
    scripts.mkdir()
    (scripts / "env.py").write_text(
        "from alembic import context\n"
        "context.configure(connection=context.config.attributes['connection'])\n"
        "context.run_migrations()\n"
    )
    config = alembic.config.Config()
    config.set_main_option("script_location", str(scripts))
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", str(shop.folder))

    def stamp(connection: sa.Connection) -> None:
        config.attributes["connection"] = connection
        alembic.command.stamp(config, "a2")

    shop.caller.begin(shop.engine, stamp)
    assert shop.call("upgrade") == []


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
        assert "INSERT INTO t VALUES (1)" in partial.applied


@on([by_id("mariadb-pymysql"), by_id("mariadb-asyncmy")])
@awaited_only
def test_what_was_broken_off_may_be_applied_as_well(shop: Shop) -> None:
    """The server ends the session. Nobody says any more whether it was applied."""
    engine = getattr(shop.engine, "sync_engine", shop.engine)

    @sa.event.listens_for(engine, "before_cursor_execute")
    def end(connection: Any, cursor: Any, statement: str, *args: Any) -> None:
        if statement == "ALTER TABLE nowhere ADD name VARCHAR(20)":
            pid = connection.connection.driver_connection.thread_id()
            execute(shop.engine.url, "KILL %s", pid)

    partial = shop.fail()
    assert partial is not None
    assert partial.interrupted
    assert partial.failed == "ALTER TABLE nowhere ADD name VARCHAR(20)"
    assert "was broken off and may be applied as well" in str(partial)
    assert shop.refuse().partial == partial


@on([by_id("mariadb-pymysql"), by_id("mariadb-asyncmy")])
@awaited_only
def test_what_only_that_would_have_committed_is_not_said_to_be_applied(
    shop: Shop,
) -> None:
    """The server has rolled it back, if the statement did not reach it any more."""
    shop.execute("CREATE TABLE t (x INT)")
    insert, alter = "INSERT INTO t VALUES (1)", "ALTER TABLE t ADD y INT"
    write_revision(shop.folder, "a1", None, "pass")
    write_revision(
        shop.folder, "a2", "a1", f"op.execute({insert!r})\nop.execute({alter!r})"
    )
    engine = getattr(shop.engine, "sync_engine", shop.engine)

    @sa.event.listens_for(engine, "before_cursor_execute")
    def end(connection: Any, cursor: Any, statement: str, *args: Any) -> None:
        if statement == alter:
            pid = connection.connection.driver_connection.thread_id()
            execute(shop.engine.url, "KILL %s", pid)

    partial = shop.fail()
    assert shop.query("SELECT * FROM t") == []
    assert partial is not None
    assert (partial.applied, partial.uncertain) == ((), (insert,))
    assert f"applied as well, together with [{insert}]." in str(partial)
    assert shop.refuse().partial == partial


@on_one_driver
@awaited_only
def test_a_record_that_cannot_be_kept_is_logged(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """The log is the last place that says what is to be finished by hand."""
    shop.call("upgrade", "a1")
    write_revision(
        shop.folder, "a2", "a1", "op.execute('DROP TABLE alembic_version'); 1 / 0"
    )
    partial = shop.fail()
    assert partial is not None
    assert partial.applied == ("DROP TABLE alembic_version",)
    assert "No record can be kept" in caplog.text
    assert str(partial) in caplog.text


@on_one_driver
@awaited_only
def test_what_failed_when_the_database_had_it_leaves_no_record(shop: Shop) -> None:
    """There is nothing to finish, and nothing to undo."""

    def fail(*, ctx: Any, **kwargs: Any) -> None:
        ctx.connection.exec_driver_sql("CREATE TABLE audit (x INT)")
        raise ValueError

    write_revision(shop.folder, "a2", "a1", "op.execute('DROP TABLE users')")
    shop.call("upgrade", "a1")
    alembic = shop.again()
    shop.app.config["ALEMBIC_CONTEXT"]["on_version_apply"] = fail

    with pytest.raises(MigrationError) as caught:
        shop.caller(alembic, "upgrade")

    assert caught.value.partial is None
    assert "half applied" not in str(caught.value)
    assert shop.caller.versions(shop.engine) == ["a2"]
    assert not shop.has_record
    assert shop.call("upgrade") == []


@on_one_driver
def test_several_databases_have_a_record_each(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    both = {"default": engines(backend), "other": engines(backend)}
    folder = tmp_path / "migrations"
    app = make_app("quart", tmp_path)
    metadatas: Any = dict.fromkeys(both, sa.MetaData())
    alembic = Alembic(app, metadatas=metadatas, engines=both, command_name="")
    body = "op.execute('CREATE TABLE a (x INT)'); 1 / (engine_name == 'default')"
    write_revision(folder, "a1", None, body, args="engine_name")

    with pytest.raises(MigrationError) as caught:
        caller(alembic, "upgrade")

    assert caught.value.partial is not None
    assert caught.value.partial.database == "other"
    # The first one is done.
    assert caller.versions(both["default"]) == ["a1"]

    with pytest.raises(PartialRevisionError) as refused:
        caller(alembic, "upgrade")

    assert refused.value.partial == caught.value.partial
    caller(alembic, "stamp", "a1")
    assert caller(alembic, "upgrade") == []


@on_one_driver
@awaited_only
def test_while_nothing_fails_one_question_is_asked(shop: Shop) -> None:
    """None at head, one where something is to be done."""
    write_revision(shop.folder, "a2", "a1", "pass")
    seen: list[str] = []

    def note(*args: Any) -> None:
        seen.append(args[2])

    engine = getattr(shop.engine, "sync_engine", shop.engine)
    sa.event.listen(engine, "before_cursor_execute", note)
    shop.call("upgrade")
    assert len([statement for statement in seen if "_partial" in statement]) == 1
    seen.clear()
    shop.call("upgrade")
    assert [statement for statement in seen if "_partial" in statement] == []
    assert not shop.has_record


@on_one_driver
@awaited_only
def test_live_operations_need_no_record(shop: Shop) -> None:
    def work(env: Environment) -> None:
        env.op.execute("CREATE TABLE a (x INT)")
        raise ValueError

    with pytest.raises(ValueError):
        shop.call("run", work)

    assert not shop.has_record
