"""What SQLite does not do within a transaction: in an ``autocommit_block``, and without
one.
"""

from __future__ import annotations

import pytest
from sqlalchemy.pool import NullPool

from async_alembic import MigrationError

from ...harness import awaited_only
from ...twins import INSERT
from ...twins import LOG
from ...twins import on_sqlite
from ...twins import Twin

BLOCK = "with op.get_context().autocommit_block():\n    op.execute({!r})"
IN_TRANSACTION = "assert op.get_bind().connection.driver_connection.in_transaction"


def read(twin: Twin, pragma: str) -> object:
    return twin.caller.query(twin.engine, f"PRAGMA {pragma}")[0][0]


@on_sqlite
@awaited_only
@pytest.mark.parametrize(
    "statement",
    [
        "PRAGMA journal_mode=WAL",
        "PRAGMA journal_mode = wal",
        "pragma main . journal_mode\n(\n'WAL');",
        '-- faster\nPRAGMA [journal_mode] = "WAL" -- much',
        "/* faster */ PRAGMA/**/journal_mode(wal)",
    ],
)
def test_the_journal_mode_is_changed_in_a_block(statement: str, twin: Twin) -> None:
    twin.history(
        LOG, f"{BLOCK.format(statement)}\n{INSERT.format(1)}\n{IN_TRANSACTION}"
    )
    twin.upgrade()
    assert read(twin, "journal_mode") == "wal"
    assert twin.look(twin.engine, None).rows == {"log": [(1,)]}


@on_sqlite
@awaited_only
@pytest.mark.parametrize(
    "statement",
    [
        *("-- compact\nVACUUM", "/* compact */ VACUUM main", "VACUUM INTO '{file}'"),
        *("PRAGMA synchronous = OFF", "/* */ PRAGMA wal_checkpoint(TRUNCATE)"),
        *("PRAGMA main.synchronous(1)", "PRAGMA synchronous = 'off'"),
    ],
)
def test_what_sqlite_refuses_is_executed_outside_of_the_transaction(
    statement: str, twin: Twin
) -> None:
    text = statement.format(file=twin.root / "copy.db")
    code = f"{INSERT.format(1)}\n{BLOCK.format(text)}\n{INSERT.format(2)}"
    twin.history(LOG, f"{code}\n{IN_TRANSACTION}")
    twin.upgrade()
    assert twin.look(twin.engine, None).rows == {"log": [(1,), (2,)]}


@on_sqlite
@awaited_only
@pytest.mark.parametrize(
    "statement",
    [
        *("PRAGMA table_info(log)", "PRAGMA journal_mode", "PRAGMA user_version = 7"),
        *("SELECT 'PRAGMA journal_mode = WAL'", "CREATE TABLE pragma (journal_mode)"),
    ],
)
def test_a_block_with_anything_else_stays_in_the_transaction(
    statement: str, twin: Twin
) -> None:
    twin.history(LOG)
    twin.upgrade()
    before = twin.dump()
    wrong = BLOCK.format("INSERT INTO no_table VALUES (1)")
    twin.history(LOG, f"{INSERT.format(1)}\n{BLOCK.format(statement)}\n{wrong}")

    with pytest.raises(MigrationError, match=r"no such table.*Correct the revision or"):
        twin.upgrade()

    assert twin.dump() == before
    assert read(twin, "user_version") == 0


@on_sqlite
@awaited_only
def test_a_journal_mode_that_cannot_be_changed_is_an_error(twin: Twin) -> None:
    """SQLite ignores it. The way that the error names works."""
    pragma = "PRAGMA journal_mode = WAL"
    twin.history(LOG, f"op.execute({pragma!r})")

    with pytest.raises(MigrationError) as e:
        twin.upgrade()

    assert (
        "): 'PRAGMA journal_mode' does nothing within a transaction. Use 'with"
        " op.get_context().autocommit_block():'."
    ) in str(e.value)
    twin.history(LOG, BLOCK.format(pragma), f"op.execute({pragma!r})")
    assert twin.upgrade() == ["a1", "a2", "a3"]


@on_sqlite
@awaited_only
def test_foreign_keys_stay_off_after_a_block(enforcing: Twin) -> None:
    """A batch change would delete the rows that refer to the table."""
    enforcing.history(
        "op.execute('CREATE TABLE shop (id INTEGER PRIMARY KEY, a TEXT)')\n"
        "op.execute('CREATE TABLE item (shop_id REFERENCES shop ON DELETE CASCADE)')\n"
        "op.execute('INSERT INTO shop VALUES (1, 2)')\n"
        "op.execute('INSERT INTO item VALUES (1)')",
        BLOCK.format("PRAGMA foreign_keys('on')")
        + "\nwith op.batch_alter_table('shop') as batch:\n"
        "    batch.alter_column('a', nullable=False)\n",
    )
    enforcing.upgrade()
    query = "SELECT * FROM item"
    assert enforcing.caller.query(enforcing.engine, query) == [(1,)]
    assert read(enforcing, "foreign_keys") == 1


SECOND = (
    "with op.get_bind().engine.begin() as connection:\n"
    "    connection.execute(sa.text({!r}))"
)
DRIVER = (
    "import contextlib, sqlite3\n"
    "file = op.get_bind().engine.url.database\n"
    "with contextlib.closing(sqlite3.connect(file, timeout=0.1)) as connection:\n"
    "    connection.execute('UPDATE log SET id = 2')"
)
ADVICE = (
    "Use op.get_bind() instead of another connection, which can neither see nor change"
    " the database during a migration, and run the upgrade again."
)


@on_sqlite
@awaited_only
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (SECOND.format("INSERT INTO new VALUES (1)"), "no such table: new"),
        (SECOND.format("SELECT x FROM log"), "no such column: x"),
        (SECOND.format("INSERT INTO log VALUES (3)"), "database is locked"),
        (DRIVER, "database is locked"),
    ],
)
def test_a_second_connection_is_an_error_with_the_way_out(
    code: str, reason: str, twin: Twin
) -> None:
    """With other databases, and with Alembic alone, it can work."""
    twin.engine = twin.engines(
        twin.backend,
        twin.engine.url,
        poolclass=NullPool,
        connect_args={"timeout": 0},
    )
    twin.history(LOG)
    twin.upgrade()
    create = "op.execute('CREATE TABLE new (a)')"
    add = "op.add_column('log', sa.Column('x', sa.Text))"
    twin.history(LOG, f"{create}\n{add}\n{code}")

    with pytest.raises(MigrationError) as e:
        twin.upgrade()

    assert reason in str(e.value)
    assert str(e.value).endswith(ADVICE)


@on_sqlite
@awaited_only
def test_so_is_one_that_the_pool_does_not_have(twin: Twin) -> None:
    twin.history(LOG, SECOND.format("SELECT 1"))

    with pytest.raises(MigrationError) as e:
        twin.upgrade()

    assert "QueuePool limit" in str(e.value)
    assert str(e.value).endswith(ADVICE)


@on_sqlite
@awaited_only
def test_the_same_error_of_the_migrating_connection_is_another(twin: Twin) -> None:
    twin.history("op.execute('INSERT INTO new VALUES (1)')")

    with pytest.raises(
        MigrationError, match="no such table: new.*Correct the revision"
    ):
        twin.upgrade()
