"""What is done about a revision that fails half-way where DDL cannot be rolled back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic import MigrationError
from async_alembic import PartialRevision
from async_alembic import PartialRevisionError
from async_alembic.migration.environment import Environment

from ...backends import Backend
from ...backends import EngineFactory
from ...harness import awaited_only
from ...harness import Caller
from ...harness import ids
from ...harness import make_app
from ...harness import write_revision
from .shop import FIRST
from .shop import on_mariadb
from .shop import on_one_driver
from .shop import Shop


@on_mariadb
def test_the_status_has_the_record(shop: Shop) -> None:
    """Until one of the ways out is taken."""
    partial = shop.fail()

    def look() -> PartialRevision | None:
        found: PartialRevision | None
        found = shop.call("status", details=True)["default"].partial
        return found

    assert partial is not None
    assert look() == partial
    assert shop.call("status")["default"].partial is None
    shop.call("stamp", "a2")
    assert look() is None


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
        "Revision a2 is half applied, because DDL statements commit implicitly in"
        " database 'default'. Applied: [INSERT INTO users VALUES (1)], [ALTER TABLE"
        " users ADD name VARCHAR(20)], [INSERT INTO users VALUES (2, 'x')]; failed:"
        " [ALTER TABLE nowhere ADD name VARCHAR(20)]. Run 'db upgrade --resume' to"
        " continue after these statements, finish the revision by hand and run 'db"
        " stamp a2', or undo it by hand and run 'db upgrade --retry'."
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
    assert "half reverted" in str(partial)
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
    write_revision(shop.folder, "a1", None, "pass")
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
