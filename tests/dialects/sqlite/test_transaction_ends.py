"""A revision that ends the transaction of the migration on SQLite, and what is left."""

from __future__ import annotations

import pytest

from async_alembic import MigrationError

from ...harness import awaited_only
from ...harness import create_table
from ...twins import FAIL
from ...twins import LOG
from ...twins import on_sqlite
from ...twins import per_migration
from ...twins import Twin

CONNECTION = "op.get_bind()"
CURSOR = f"{CONNECTION}.connection.cursor()"
#: They commit what was before them.
COMMITS = {
    "COMMIT": "op.execute('COMMIT')",
    "END": "op.execute('/* all */ END TRANSACTION')",
    "COMMIT and BEGIN": "op.execute('COMMIT')\nop.execute('/* x */ BEGIN EXCLUSIVE')",
    "commit()": f"{CONNECTION}.commit()",
    "the driver's": f"{CONNECTION}.connection.commit()",
    "cursor": f"{CURSOR}.execute('COMMIT')",
    "block": "with op.get_context().autocommit_block():\n    op.execute('VACUUM')",
}
ROLLBACKS = {
    "ROLLBACK": "op.execute('ROLLBACK')",
    "rollback()": f"{CONNECTION}.rollback()",
    "the driver's": f"{CONNECTION}.connection.rollback()",
    "OR ROLLBACK": (
        "op.execute('CREATE TABLE once (x UNIQUE)')\n"
        "for _ in 'ab':\n"
        "    try:\n"
        "        op.execute('INSERT OR ROLLBACK INTO once VALUES (1)')\n"
        "    except sa.exc.IntegrityError:\n"
        "        pass"
    ),
}
commits = pytest.mark.parametrize("code", COMMITS.values(), ids=COMMITS)
rollbacks = pytest.mark.parametrize("code", ROLLBACKS.values(), ids=ROLLBACKS)
#: The driver's own connection returns an awaitable with aiosqlite.
SCRIPT = (
    "driver = op.get_bind().connection.driver_connection\n"
    "result = driver.executescript('CREATE TABLE one (x); CREATE TABLE two (x)')\n"
    "if hasattr(result, '__await__'):\n"
    "    sa.util.await_only(result)"
)


@on_sqlite
@awaited_only
@per_migration
@commits
def test_only_what_was_committed_by_hand_stays(code: str, twin: Twin) -> None:
    """The rest is in a transaction again, and the error says what stays."""
    twin.history(LOG)
    twin.upgrade()
    revision = [create_table("one"), code, create_table("two"), create_table("three")]
    twin.history(LOG, "\n".join([*revision, FAIL]))

    with pytest.raises(MigrationError) as e:
        twin.upgrade()

    assert str(e.value).endswith(
        "ValueError: no. What the revision has committed itself stays applied; the rest"
        " was rolled back; the database is at a1. Undo by hand what stays, correct the"
        " revision, and run the upgrade again."
    )
    assert twin.caller.tables(twin.engine) == {"log", "one"}
    assert twin.caller.versions(twin.engine) == ["a1"]


@on_sqlite
@awaited_only
@commits
def test_a_revision_that_has_committed_is_complete_if_a_later_one_fails(
    code: str, twin: Twin
) -> None:
    first = [create_table("one"), code, create_table("two")]
    twin.history("\n".join(first), create_table("three"), FAIL)

    with pytest.raises(MigrationError, match=r"Correct the revision or the data"):
        twin.upgrade()

    assert twin.caller.tables(twin.engine) == {"one", "two"}
    assert twin.caller.versions(twin.engine) == ["a1"]


@on_sqlite
@awaited_only
@per_migration
@rollbacks
@pytest.mark.parametrize("then", ["pass", create_table("two")])
def test_a_rollback_that_would_lose_changes_is_an_error(
    then: str, code: str, twin: Twin
) -> None:
    twin.history(LOG)
    twin.upgrade()
    before = twin.dump()
    twin.history(LOG, f"{create_table('one')}\n{code}\n{then}")

    with pytest.raises(MigrationError) as e:
        twin.upgrade()

    assert (
        "): The transaction was rolled back within the revision, and with it what"
        " was changed before. Use a savepoint, 'op.get_bind().begin_nested()'."
    ) in str(e.value)
    assert twin.dump() == before


@on_sqlite
@awaited_only
def test_a_rollback_before_the_first_change_loses_nothing(twin: Twin) -> None:
    twin.history(LOG)
    twin.upgrade()
    rollback = (
        "op.execute('SELECT 1')\nop.get_bind().rollback()\nop.execute('ROLLBACK')"
    )
    twin.history(LOG, f"{rollback}\n{create_table('one')}", create_table("two"))
    assert twin.upgrade() == ["a2", "a3"]
    assert twin.caller.tables(twin.engine) == {"log", "one", "two"}


@on_sqlite
@awaited_only
@pytest.mark.parametrize("then", ["pass", create_table("three")])
def test_a_script_of_the_driver_is_noticed(then: str, twin: Twin) -> None:
    """It commits first, and runs outside of any transaction."""
    twin.history(LOG, f"{SCRIPT}\n{then}\n{FAIL}")

    with pytest.raises(MigrationError, match="has committed itself stays applied"):
        twin.upgrade()

    assert twin.caller.tables(twin.engine) == {"log", "one", "two"}
    assert twin.caller.versions(twin.engine) == ["a1"]


@on_sqlite
@awaited_only
def test_the_mark_of_the_transaction_is_removed(twin: Twin) -> None:
    """The app may use that number itself."""
    sa_code = (
        "number = op.get_bind().exec_driver_sql('PRAGMA temp.user_version').scalar()"
    )
    twin.history(LOG, f"{sa_code}\nassert number > 0")
    twin.upgrade()
    assert twin.caller.query(twin.engine, "PRAGMA temp.user_version") == [(0,)]
