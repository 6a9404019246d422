"""A half-applied revision is continued after what is applied."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st

from async_alembic import Alembic
from async_alembic import ConfigurationError
from async_alembic import MigrationError
from async_alembic import PartialRevisionError
from async_alembic import ResumeError
from async_alembic.dialects.mysql.responses import Responses

from ...backends import Backend
from ...backends import EngineFactory
from ...harness import awaited_only
from ...harness import Caller
from ...harness import ids
from ...harness import make_app
from ...harness import write_revision
from .shop import on_mariadb
from .shop import on_one_driver
from .shop import Shop

INSERT = "INSERT INTO t (x) VALUES (1)"
TABLES = ["CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, x INT)"]


def body(*statements: str) -> str:
    return "\n".join(f"op.execute({statement!r})" for statement in statements)


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """Its second revision is for the test to write."""
    write_revision(shop.folder, "a1", None, body(*TABLES))
    write_revision(shop.folder, "a2", "a1", "pass")
    shop.call("upgrade")
    shop.call("stamp", "a1")
    return shop


def fail_then_resume(shop: Shop, text: str) -> None:
    """Run a revision that fails at its line ``fail()``, and resume it without."""
    head, fail, tail = text.partition("fail()")
    assert fail
    write_revision(shop.folder, "a2", "a1", f"{head}raise ValueError{tail}")
    assert shop.fail() is not None
    write_revision(shop.folder, "a2", "a1", f"{head}pass{tail}")
    assert ids(shop.call("upgrade", resume=True)) == ["a2"]
    assert not shop.has_record
    assert shop.call("upgrade") == []


@on_mariadb
def test_only_what_is_not_applied_is_executed(shop: Shop) -> None:
    text = """
op.execute("INSERT INTO t (x) VALUES (1)")
op.execute("ALTER TABLE t ADD y INT")
op.execute("INSERT INTO t (x) VALUES (2)")
fail()
op.execute("INSERT INTO t (x) VALUES (3)")
op.execute("CREATE INDEX i ON t (x)")
"""
    fail_then_resume(shop, text)
    assert shop.query("SELECT x FROM t ORDER BY x") == [(1,), (2,), (3,)]


@on_mariadb
def test_a_driver_that_keeps_the_servers_status_to_itself_is_no_obstacle(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as mysqlclient, which needs a compiler to be installed."""
    monkeypatch.setattr(Responses, "_has_status", False)
    test_only_what_is_not_applied_is_executed(shop)
    write_revision(shop.folder, "a3", "a2", body("INSERT INTO t (x) VALUES (9)", "no"))
    assert shop.fail() is None
    assert shop.query("SELECT x FROM t WHERE x = 9") == []


@on_mariadb
def test_a_revision_gets_the_same_results_again(shop: Shop) -> None:
    """Ids, numbers of rows and errors of what is not executed a second time, and rows
    of what only reads.
    """
    text = """
bind = op.get_bind()
t = sa.table("t", sa.column("id"), sa.column("x"))
first = bind.execute(t.insert().values(x=5)).lastrowid
op.bulk_insert(t, [{"x": 6}, {"x": 7}])
count = bind.execute(t.update().values(x=t.c.x + 1).where(t.c.x > 5)).rowcount
(found,) = bind.execute(sa.text("SELECT 40 + 2")).one()

try:
    with bind.begin_nested():
        bind.execute(t.insert().values(x=50))
        op.execute("INSERT INTO nowhere VALUES (1)")
except sa.exc.ProgrammingError as e:
    error = str(e.orig.args[0])

op.execute("SET @kept = 'kept'")
op.execute("CREATE TABLE u (a INT, b INT, c INT, d INT, e TEXT)")
fail()
op.execute(
    f"INSERT INTO u VALUES ({first}, {count}, {found}, {error}, @kept)"
)
"""
    fail_then_resume(shop, text)
    assert shop.query("SELECT * FROM u") == [(1, 2, 42, 1146, "kept")]
    assert shop.query("SELECT x FROM t ORDER BY id") == [(5,), (7,), (8,)]


@on_one_driver
@awaited_only
@pytest.mark.parametrize(
    "statements",
    [
        ["EXECUTE IMMEDIATE 'ALTER TABLE t ADD y INT'"],
        [
            "PREPARE s FROM 'ALTER TABLE t ADD y INT'",
            "EXECUTE s",
            "DEALLOCATE PREPARE s",
        ],
        ["CREATE PROCEDURE p() ALTER TABLE t ADD y INT", "CALL p()"],
        ["/*!50001 ALTER TABLE t ADD y INT */"],
        ["/*M!100100 ALTER TABLE t ADD y INT */"],
        ["/**/ ALTER TABLE t ADD y INT"],
        ["--\nALTER TABLE t ADD y INT"],
        ["IF TRUE THEN ALTER TABLE t ADD y INT; END IF"],
        [
            "LOCK TABLES t WRITE",
            "INSERT INTO t (x) VALUES (2)",
            "UNLOCK TABLES",
            "SELECT * FROM alembic_version",
        ],
        ["START TRANSACTION", "INSERT INTO t (x) VALUES (2)", "COMMIT"],
        ["INSERT INTO t (x) VALUES (9)", "ROLLBACK", "TRUNCATE t"],
        ["SET autocommit = 1", "INSERT INTO t (x) VALUES (2)"],
    ],
    ids=lambda statements: statements[0],
)
def test_whatever_commits_is_not_repeated(statements: list[str], shop: Shop) -> None:
    """It is not read from the statement."""
    before = "INSERT INTO t (x) VALUES (1)"
    fail_then_resume(
        shop, f"{body(before, *statements)}\nfail()\n{body('CREATE TABLE u (z INT)')}"
    )
    assert shop.query("SELECT count(*) FROM t") == [
        (0 if "TRUNCATE t" in statements else 1 + sum("(2)" in s for s in statements),)
    ]
    assert shop.query("SELECT * FROM u") == []


@on_one_driver
@awaited_only
@pytest.mark.parametrize("commit", ["op.get_bind().commit()", "op.execute('COMMIT')"])
def test_an_own_commit_is_not_repeated(commit: str, shop: Shop) -> None:
    insert = body("INSERT INTO t (x) VALUES (1)")
    fail_then_resume(shop, f"{insert}\n{commit}\n{insert}\nfail()\n{insert}")
    assert shop.query("SELECT count(*) FROM t") == [(3,)]


@on_mariadb
def test_autocommit_blocks_are_resumed(shop: Shop) -> None:
    text = """
op.execute("INSERT INTO t (x) VALUES (1)")

with op.get_context().autocommit_block():
    op.execute("SET @kept = 8")
    op.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
    op.execute("INSERT INTO t (x) VALUES (2)")
    op.execute("CREATE INDEX i ON t (x)")
    rows = op.get_bind().execute(sa.text("SELECT x FROM t")).all()
    fail()
    op.execute(f"INSERT INTO t (x) VALUES (@kept + {len(rows)})")
"""
    fail_then_resume(shop, text)
    assert shop.query("SELECT x FROM t ORDER BY id") == [(1,), (2,), (10,)]


@on_one_driver
@awaited_only
def test_what_fails_again_is_resumed_again(shop: Shop) -> None:
    one, two = "CREATE TABLE u (z INT)", "CREATE TABLE v (z INT)"
    write_revision(shop.folder, "a2", "a1", f"{body(one)}\n1 / 0")
    shop.fail()
    write_revision(shop.folder, "a2", "a1", f"{body(one, two, 'nonsense')}")

    with pytest.raises(MigrationError) as caught:
        shop.call("upgrade", resume=True)

    assert caught.value.partial is not None
    assert caught.value.partial.applied == (one, two)
    assert caught.value.partial.failed == "nonsense"
    assert shop.refuse().partial == caught.value.partial
    write_revision(shop.folder, "a2", "a1", body(one, two))
    assert ids(shop.call("upgrade", resume=True)) == ["a2"]


CHANGES = {
    "another statement": (body("CREATE TABLE other (z INT)"), "statement 1 was"),
    "other parameters": (
        "op.get_bind().exec_driver_sql('CREATE TABLE u (z INT)', ())\n"
        "op.get_bind().exec_driver_sql('INSERT INTO u VALUES (%s)', (2,))",
        "statement 2 was [INSERT INTO u VALUES (%s)] with its parameters",
    ),
    "fewer statements": (body("CREATE TABLE u (z INT)"), "but is missing now"),
    "caught": (
        "try:\n    op.execute('CREATE TABLE other (z INT)')\n"
        "except Exception:\n    pass\nop.execute('CREATE TABLE more (z INT)')",
        "statement 1 was",
    ),
}


@on_one_driver
@awaited_only
@pytest.mark.parametrize("change", CHANGES)
def test_a_revision_that_differs_is_not_resumed(change: str, shop: Shop) -> None:
    recorded = """
op.get_bind().exec_driver_sql("CREATE TABLE u (z INT)", ())
op.get_bind().exec_driver_sql("INSERT INTO u VALUES (%s)", (1,))
op.execute("ALTER TABLE u ADD y INT")
raise ValueError
"""
    write_revision(shop.folder, "a2", "a1", recorded)
    partial = shop.fail()
    text, reason = CHANGES[change]
    write_revision(shop.folder, "a2", "a1", text)

    with pytest.raises(ResumeError) as caught:
        shop.call("upgrade", resume=True)

    assert reason in str(caught.value)
    assert str(caught.value).endswith(
        "Restore what the revision was, finish it by hand and run 'db stamp a2', or"
        " undo it by hand and run 'db upgrade --retry'."
    )
    assert caught.value.partial == partial
    assert shop.caller.tables(shop.engine).isdisjoint({"other", "more"})
    assert shop.query("SELECT z FROM u") == [(1,)]
    assert shop.refuse().partial == partial


@on_one_driver
@awaited_only
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            body(
                "CREATE TEMPORARY TABLE kept (x INT)",
                "INSERT INTO kept VALUES (1)",
                "ALTER TABLE t ADD y INT",
            ),
            "it has used a temporary table, whose rows are lost",
        ),
        (
            "op.execute(sa.select(sa.table('t', sa.column('x'))))\n"
            + body("INSERT INTO t (x) VALUES (1)", "ALTER TABLE t ADD y INT"),
            "had 0 rows, but has 1 now",
        ),
    ],
    ids=["temporary", "read"],
)
def test_what_cannot_be_repeated_is_not_resumed(
    text: str, reason: str, shop: Shop
) -> None:
    """Rather than something is lost, or done on other rows."""
    write_revision(shop.folder, "a2", "a1", f"{text}\nraise ValueError")
    shop.fail()
    write_revision(shop.folder, "a2", "a1", text)

    with pytest.raises(ResumeError) as caught:
        shop.call("upgrade", resume=True)

    assert reason in str(caught.value)


PROCEDURES = [
    "CREATE PROCEDURE shows() BEGIN INSERT INTO t (x) VALUES (1); SELECT 1; END",
    "CREATE PROCEDURE sets() BEGIN INSERT INTO t (x) VALUES (1); SET @x = 8; END",
    "CREATE FUNCTION f() RETURNS INT BEGIN INSERT INTO t (x) VALUES (1); RETURN 8; END",
    "CREATE PROCEDURE fails() BEGIN INSERT INTO t (x) VALUES (1); COMMIT;"
    " SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END",
    "CREATE PROCEDURE fails_later() BEGIN INSERT INTO t (x) VALUES (1); COMMIT;"
    " INSERT INTO t (x) VALUES (2); SIGNAL SQLSTATE '45000'"
    " SET MESSAGE_TEXT = 'no'; END",
    "CREATE PROCEDURE alters() BEGIN ALTER TABLE t ADD y INT; ALTER TABLE no ADD y INT;"
    " END",
]


@on_mariadb
@pytest.mark.parametrize("is_in_block", [True, False])
@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO t (x) VALUES (1) RETURNING id", "CALL shows()", "SELECT f()"],
)
def test_what_has_written_and_returned_rows_is_not_repeated(
    statement: str, is_in_block: bool, shop: Shop
) -> None:
    shop.execute(*PROCEDURES)
    block = "with op.get_context().autocommit_block(): " if is_in_block else ""
    text = f"{block}{body(statement)}\n{body('ALTER TABLE t ADD z INT')}"
    write_revision(shop.folder, "a2", "a1", f"{text}\nraise ValueError")
    assert shop.fail() is not None
    write_revision(shop.folder, "a2", "a1", text)

    with pytest.raises(ResumeError, match="has returned rows") as caught:
        shop.call("upgrade", resume=True)

    assert f"[{statement}]" in str(caught.value)
    assert shop.query("SELECT x FROM t") == [(1,)]


@on_mariadb
def test_what_has_written_in_an_autocommit_block_is_not_repeated(shop: Shop) -> None:
    shop.execute(*PROCEDURES)
    text = """
with op.get_context().autocommit_block():
    op.execute("CALL sets()")
    op.execute("DO f()")
    op.execute("ALTER TABLE t ADD z INT")
    fail()
    op.execute("INSERT INTO t (x) VALUES (8)")
"""
    fail_then_resume(shop, text)
    assert shop.query("SELECT x FROM t ORDER BY id") == [(1,), (1,), (8,)]


@on_mariadb
@pytest.mark.parametrize("procedure", ["fails", "fails_later", "alters"])
@pytest.mark.parametrize("before", [[], ["ALTER TABLE t ADD z INT"]])
def test_a_procedure_that_has_committed_and_failed_is_not_repeated(
    before: list[str], procedure: str, shop: Shop
) -> None:
    shop.execute(*PROCEDURES)
    call = f"CALL {procedure}()"
    write_revision(shop.folder, "a2", "a1", body(*before, call))
    assert shop.fail() is not None
    rows = shop.query("SELECT x FROM t")
    shop.refuse()

    with pytest.raises(ResumeError, match="it is unknown what") as caught:
        shop.call("upgrade", resume=True)

    assert f"[{call}]" in str(caught.value)
    assert shop.query("SELECT x FROM t") == rows


@on_one_driver
@awaited_only
def test_a_procedure_that_was_called_before_is_no_obstacle(shop: Shop) -> None:
    shop.execute(*PROCEDURES)
    write_revision(
        shop.folder, "a2", "a1", body("CALL sets()", "ALTER TABLE no ADD z INT")
    )
    assert shop.fail() is not None
    write_revision(shop.folder, "a2", "a1", body("CALL sets()"))
    shop.call("upgrade", resume=True)
    assert shop.query("SELECT x FROM t") == [(1,)]


@on_one_driver
@awaited_only
def test_a_downgrade_is_resumed(shop: Shop) -> None:
    down = body("DROP TABLE u", "INSERT INTO t (x) VALUES (1)", "DROP TABLE v")
    up = body("CREATE TABLE u (z INT)", "CREATE TABLE v (z INT)")
    write_revision(shop.folder, "a2", "a1", up, f"{down}\nraise ValueError")
    shop.call("upgrade")
    partial = shop.fail("downgrade")
    assert partial is not None
    assert "'db downgrade --resume'" in str(partial)

    # At head, an upgrade has nothing to do, and asks nothing.
    assert shop.call("upgrade", resume=True) == []
    write_revision(shop.folder, "a3", "a2", "pass")

    with pytest.raises(PartialRevisionError):
        shop.call("upgrade", resume=True)

    write_revision(shop.folder, "a2", "a1", up, down)
    assert ids(shop.call("downgrade", "a1", resume=True)) == ["a2"]
    assert shop.query("SELECT x FROM t") == [(1,)]
    assert not shop.has_record


@on_one_driver
@awaited_only
def test_there_is_nothing_to_resume(shop: Shop) -> None:
    assert ids(shop.call("upgrade", resume=True)) == ["a2"]


@on_one_driver
@awaited_only
def test_resuming_and_retrying_exclude_each_other(shop: Shop) -> None:
    with pytest.raises(ConfigurationError, match="exclude each other"):
        shop.call("upgrade", resume=True, retry=True)


@on_one_driver
@awaited_only
def test_a_record_of_an_earlier_version_is_not_resumed(shop: Shop) -> None:
    """It does not have all statements."""
    details = {
        "revision": "a2",
        "direction": "upgrade",
        "target": "a2",
        "applied": ["CREATE TABLE u (z INT)"],
        "failed": None,
        "interrupted": False,
        "uncertain": [],
        "heads": ["a1"],
    }
    shop.execute(
        "CREATE TABLE alembic_version_partial"
        " (revision VARCHAR(191) PRIMARY KEY, details LONGTEXT NOT NULL)"
    )
    values = f"('a2', '{json.dumps(details)}')"
    shop.execute(f"INSERT INTO alembic_version_partial VALUES {values}")
    refused = shop.refuse("upgrade")
    assert refused.partial.applied == ("CREATE TABLE u (z INT)",)
    assert "--resume" not in str(refused)

    with pytest.raises(PartialRevisionError):
        shop.call("upgrade", resume=True)

    assert ids(shop.call("upgrade", retry=True)) == ["a2"]
    assert not shop.has_record


@on_one_driver
@awaited_only
def test_several_databases_are_resumed_each(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    both = {"default": engines(backend), "other": engines(backend)}
    folder = tmp_path / "twice" / "migrations"
    app = make_app("quart", folder.parent)
    metadatas: Any = dict.fromkeys(both, sa.MetaData())
    alembic = Alembic(app, metadatas=metadatas, engines=both, command_name="")
    text = "op.execute('CREATE TABLE a (x INT)')\n"
    failing = f"{text}1 / (engine_name == 'default')"
    write_revision(folder, "a1", None, failing, args="engine_name")

    with pytest.raises(MigrationError):
        caller(alembic, "upgrade")

    write_revision(folder, "a1", None, text, args="engine_name")
    assert ids(caller(alembic, "upgrade", resume=True)) == ["a1"]
    assert caller.versions(both["other"]) == ["a1"]
    assert caller.tables(both["other"]) == {"a"}


@on_mariadb
def test_the_statement_that_has_failed_is_executed_again(shop: Shop) -> None:
    """Once its cause is gone, as by a table that was in the way."""
    shop.execute("CREATE TABLE v (z INT)")
    text = body("CREATE TABLE u (z INT)", "CREATE TABLE v (y INT)", INSERT)
    write_revision(shop.folder, "a2", "a1", text)
    partial = shop.fail()
    assert partial is not None
    assert partial.failed == "CREATE TABLE v (y INT)"

    with pytest.raises(MigrationError, match="already exists"):
        shop.call("upgrade", resume=True)

    shop.execute("DROP TABLE v")
    assert ids(shop.call("upgrade", resume=True)) == ["a2"]
    assert not shop.has_record
    assert shop.query("SELECT y FROM v") == []
    assert shop.query("SELECT x FROM t") == [(1,)]


#: What a revision may do, with a number for its table, row or missing table.
STEPS = {
    "insert": "op.execute('INSERT INTO t (x) VALUES ({0})')",
    "create": "op.execute('CREATE TABLE made_{0} (z INT)')",
    "read": "assert op.get_bind().exec_driver_sql('SELECT 1').all() == [(1,)]",
    "set": "op.execute('SET @x = {0}')",
    "caught": (
        "try:\n    op.execute('DROP TABLE nothing_{0}')"
        "\nexcept sa.exc.OperationalError:\n    pass"
    ),
    "undone": (
        "with op.get_bind().begin_nested() as savepoint:"
        "\n    op.execute('INSERT INTO t (x) VALUES (-{0})')\n    savepoint.rollback()"
    ),
    "commit": "op.get_bind().commit()",
    # Fails until the table is there.
    "wait": "op.execute('ALTER TABLE missing_{0} ADD y INT')",
    "wait in vain": (
        "try:\n    op.execute('ALTER TABLE missing_{0} ADD y INT')"
        "\nexcept sa.exc.ProgrammingError:"
        "\n    op.get_bind().exec_driver_sql('SELECT 1').all()\n    raise"
    ),
}


@on_one_driver
@awaited_only
@pytest.mark.full
@given(steps=st.lists(st.sampled_from([*STEPS]), max_size=9))
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_revision_is_resumed_as_often_as_it_fails(
    shop: Shop, steps: list[str]
) -> None:
    """Each of its statements is applied once, whatever failed before."""
    code = "\n".join(STEPS[step].format(n) for n, step in enumerate(steps))
    write_revision(shop.folder, "a2", "a1", code or "pass")
    missing = [n for n, step in enumerate(steps) if step.startswith("wait")]
    way: dict[str, Any] = {}

    for n in missing:
        # What has applied nothing yet needs no resuming.
        partial = shop.fail("upgrade", **way)
        way = {"resume": partial is not None}
        shop.execute(f"CREATE TABLE missing_{n} (z INT)")

    assert ids(shop.call("upgrade", **way)) == ["a2"]
    assert not shop.has_record
    found = {
        *(f"made_{n}" for n, step in enumerate(steps) if step == "create"),
        *(f"missing_{n}" for n in missing),
    }
    tables = shop.caller.tables(shop.engine) - {"t"}
    assert tables == found
    rows = [(n,) for n, step in enumerate(steps) if step == "insert"]
    assert shop.query("SELECT x FROM t ORDER BY x") == rows
    # The next example begins anew.
    shop.execute(*(f"DROP TABLE {table}" for table in tables), "DELETE FROM t")
    shop.call("stamp", "a1")
