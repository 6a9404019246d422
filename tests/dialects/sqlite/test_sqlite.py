"""What SQLite needs so that a migration is all or nothing, and loses no row."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies
from sqlalchemy.pool import StaticPool

from async_alembic import Alembic
from async_alembic import SyncAlembic
from async_alembic.errors import AsyncAlembicError
from async_alembic.errors import MigrationError

from ...backends import Backend
from ...backends import by_id
from ...backends import EngineFactory
from ...backends import MEMORY_BACKENDS
from ...backends import on
from ...harness import Caller
from ...harness import create_table
from ...harness import make_app
from ...harness import one_connection
from ...harness import write_revision
from ...twins import dump
from ...twins import enforce_foreign_keys
from ...twins import FAIL
from ...twins import INSERT
from ...twins import LOG
from ...twins import on_sqlite
from ...twins import ONE_EACH
from ...twins import per_migration
from ...twins import sync_engine_of
from ...twins import Twin


@on_sqlite
def test_everything_of_sqlite_is_in_one_transaction(twin: Twin) -> None:
    """Also what Alembic itself would not put into one."""
    driver = "op.get_bind().connection.driver_connection"
    twin.history(LOG, f"assert {driver}.in_transaction", INSERT.format(1))
    sync_engine = sync_engine_of(twin)
    commits: list[str] = []
    sa.event.listen(sync_engine, "commit", lambda _: commits.append("COMMIT"))
    twin.upgrade()
    assert len(commits) == 1


@on([by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")])
def test_a_database_that_cannot_be_written_to_is_an_error(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """Also where only the version table is written to, at the commit."""
    app = make_app("flask", tmp_path)
    url = sa.make_url(f"{backend.drivername}:///file:{tmp_path / 'app.db'}?uri=true")
    write_revision(tmp_path / "migrations", "a1")
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engines(backend, url))
    caller(alembic, "upgrade")
    write_revision(tmp_path / "migrations", "b2", "a1")
    reading = engines(backend, url.update_query_dict({"mode": "ro"}))
    alembic = Alembic(
        app, metadatas=sa.MetaData(), engines=reading, command_name="other"
    )

    with pytest.raises(AsyncAlembicError, match="attempt to write a readonly"):
        caller(alembic, "upgrade")


class Modes:
    """The ways in which users make SQLAlchemy begin transactions on SQLite."""

    @staticmethod
    def legacy(engine: sa.Engine) -> None:
        """The default of ``sqlite3``: a transaction begins with the first DML."""

    @staticmethod
    def begin_event(engine: sa.Engine) -> None:
        """The recipe that SQLAlchemy's documentation had for years."""
        sa.event.listen(engine, "connect", Modes._never_begin)
        sa.event.listen(engine, "begin", lambda c: c.exec_driver_sql("BEGIN"))

    @staticmethod
    def pragma_in_every_transaction(engine: sa.Engine) -> None:
        sa.event.listen(engine, "begin", lambda c: c.exec_driver_sql("SELECT 1"))

    @staticmethod
    def _never_begin(connection: Any, record: Any) -> None:
        connection.isolation_level = None


@on_sqlite
@pytest.mark.parametrize(
    "mode", [Modes.legacy, Modes.begin_event, Modes.pragma_in_every_transaction]
)
@pytest.mark.parametrize("fails", [False, True], ids=["succeeds", "fails"])
def test_the_way_that_an_engine_begins_transactions_stays(
    fails: bool, mode: Callable[[sa.Engine], None], twin: Twin
) -> None:
    mode(sync_engine_of(twin))

    def look(connection: sa.Connection) -> tuple[Any, ...]:
        driver: Any = connection.connection.driver_connection
        before = driver.in_transaction
        connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS mine (id int)")
        after_ddl = driver.in_transaction
        connection.exec_driver_sql("INSERT INTO mine VALUES (1)")
        return before, after_ddl, driver.in_transaction, driver.isolation_level

    before = twin.caller.begin(twin.engine, look)
    twin.history(LOG, f"{INSERT.format(1)}\n{FAIL if fails else ''}")

    with pytest.raises(MigrationError) if fails else contextlib.nullcontext():
        twin.upgrade()

    assert twin.caller.begin(twin.engine, look) == before
    assert twin.caller.tables(twin.engine) == {"mine"} | (set() if fails else {"log"})
    assert twin.caller.query(twin.engine, "SELECT * FROM mine") == [(1,), (1,)]


needs_autocommit = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="'autocommit' is new in Python 3.12."
)


@on_sqlite
@needs_autocommit
@pytest.mark.parametrize("fails", [False, True], ids=["succeeds", "fails"])
def test_an_engine_that_is_not_in_autocommit_mode_stays_so(
    fails: bool, twin: Twin, engines: EngineFactory
) -> None:
    """With ``autocommit=False``, ``sqlite3`` itself keeps a transaction open."""
    options = one_connection(twin.backend)
    twin.engine = engines(twin.backend, connect_args={"autocommit": False}, **options)
    twin.history(LOG, f"{INSERT.format(1)}\n{FAIL if fails else ''}")

    with pytest.raises(MigrationError) if fails else contextlib.nullcontext():
        twin.upgrade()

    def create_and_fail(connection: sa.Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE mine (id int)")
        raise ZeroDivisionError

    # In the old mode, this would leave the table behind.
    with pytest.raises(ZeroDivisionError):
        twin.caller.begin(twin.engine, create_and_fail)

    assert twin.caller.tables(twin.engine) == (set() if fails else {"log"})


@on([by_id("sqlite-sqlite3")])
@needs_autocommit
def test_a_batch_change_keeps_the_children_where_a_transaction_is_always_open(
    twin: Twin, engines: EngineFactory
) -> None:
    """In a transaction, the PRAGMA for foreign keys does nothing."""
    options = one_connection(twin.backend)
    engine = engines.synchronous(
        twin.backend, connect_args={"autocommit": False}, **options
    )
    twin.engine = engine

    @sa.event.listens_for(engine, "connect")
    def enforce(connection: Any, record: Any) -> None:
        connection.autocommit = True
        connection.execute("PRAGMA foreign_keys=ON")
        connection.autocommit = False

    twin.history(PARENT, BATCH)
    assert twin.upgrade() == ["a1", "a2"]
    assert children_of(twin) == [(1, 1), (2, 1), (3, 2)]
    assert enforces(twin)


PARENT = """
op.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT)")
op.execute(
    "CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL"
    " REFERENCES parent (id) ON DELETE CASCADE)"
)
op.execute("INSERT INTO parent VALUES (1, 'a'), (2, 'b')")
op.execute("INSERT INTO child VALUES (1, 1), (2, 1), (3, 2)")
"""
BATCH = """
with op.batch_alter_table("parent", recreate="always") as batch:
    batch.alter_column("name", nullable=False, existing_type=sa.Text)
"""


def children_of(twin: Twin) -> list[tuple[Any, ...]]:
    return twin.caller.query(twin.engine, "SELECT id, parent_id FROM child")


def enforces(twin: Twin) -> bool:
    return twin.caller.query(twin.engine, "PRAGMA foreign_keys") == [(1,)]


@on_sqlite
@per_migration
def test_a_batch_change_of_a_parent_keeps_its_children(
    enforcing: Twin,
) -> None:
    """Alembic alone drops the old table, and SQLite its children with it."""
    enforcing.history(PARENT, BATCH, BATCH)
    assert enforcing.upgrade() == ["a1", "a2", "a3"]
    assert children_of(enforcing) == [(1, 1), (2, 1), (3, 2)]
    assert enforces(enforcing)

    with pytest.raises(sa.exc.IntegrityError):
        enforcing.caller.execute(enforcing.engine, "INSERT INTO child VALUES (4, 9)")


@on(MEMORY_BACKENDS)
@pytest.mark.parametrize("options", [{}, {"poolclass": StaticPool}], ids=["", "static"])
def test_a_database_in_memory_is_all_or_nothing_as_well(
    options: dict[str, Any], twin: Twin, engines: EngineFactory
) -> None:
    twin.engine = engines(twin.backend, **options)
    sa.event.listen(sync_engine_of(twin), "connect", enforce_foreign_keys)

    def look() -> list[Any]:
        schema = twin.caller.query(twin.engine, "SELECT type, name FROM sqlite_master")
        return [schema, children_of(twin), enforces(twin), twin.engine.pool.status()]

    trigger = "CREATE TRIGGER t AFTER DELETE ON parent BEGIN SELECT 1; END"
    first = f"{PARENT}\nop.execute({trigger!r})"
    twin.history(first)
    twin.upgrade()
    before = look()
    assert before[1] == [(1, 1), (2, 1), (3, 2)]
    twin.history(first, f"{BATCH}\nop.execute('DELETE FROM child')\n{FAIL}")

    with pytest.raises(MigrationError):
        twin.upgrade()

    assert look() == before
    twin.history(first, BATCH)
    assert twin.upgrade() == ["a2"]
    assert sorted(look()[0]) == sorted(before[0])
    assert look()[1:] == before[1:]


@on_sqlite
def test_a_batch_change_by_hand_keeps_the_children_too(enforcing: Twin) -> None:
    enforcing.history(PARENT)
    enforcing.upgrade()

    def change(env: Any) -> None:
        with env.op.batch_alter_table("parent", recreate="always") as batch:
            batch.add_column(sa.Column("x", sa.Integer))

    enforcing.caller(enforcing.alembic, "run", change)
    assert children_of(enforcing) == [(1, 1), (2, 1), (3, 2)]
    assert enforces(enforcing)


@on_sqlite
@per_migration
def test_a_row_that_would_point_nowhere_undoes_the_upgrade(enforcing: Twin) -> None:
    enforcing.history(PARENT)
    enforcing.upgrade()
    before = enforcing.dump()
    enforcing.history(PARENT, "op.execute('DELETE FROM parent WHERE id = 2')")

    with pytest.raises(AsyncAlembicError, match=r"[Rr]ow 3 of.*'child'.*'parent'"):
        enforcing.upgrade()

    assert enforcing.dump() == before
    assert enforces(enforcing)
    enforcing.history(PARENT, "pass")
    assert enforcing.upgrade() == ["a2"]


ADD_KEY = """
op.execute("ALTER TABLE child ADD COLUMN friend_id INTEGER REFERENCES parent (id)")
"""


@on_sqlite
@pytest.mark.parametrize("change", [BATCH, ADD_KEY], ids=["parent", "another_key"])
def test_rows_that_pointed_nowhere_before_are_no_obstacle(
    change: str, enforcing: Twin
) -> None:
    """They are not the upgrade's doing, and the user may not even know of them."""
    enforcing.history(PARENT)
    enforcing.upgrade()
    assert enforcing.engine.url.database is not None

    with contextlib.closing(sqlite3.connect(enforcing.engine.url.database)) as other:
        other.execute("INSERT INTO child VALUES (4, 9)")
        other.commit()

    enforcing.history(PARENT, change)
    assert enforcing.upgrade() == ["a2"]
    assert children_of(enforcing) == [(1, 1), (2, 1), (3, 2), (4, 9)]


@on_sqlite
def test_foreign_keys_are_enforced_again_after_a_failure(enforcing: Twin) -> None:
    enforcing.history(PARENT, f"{BATCH}\n{FAIL}")

    with pytest.raises(MigrationError):
        enforcing.upgrade()

    assert enforces(enforcing)
    assert enforcing.caller.tables(enforcing.engine) == set()


@on_sqlite
def test_foreign_keys_that_are_not_enforced_are_not_checked(twin: Twin) -> None:
    """A database that never had them in order must still be migrated."""
    twin.history(PARENT, "op.execute('DELETE FROM parent')")
    assert twin.upgrade() == ["a1", "a2"]
    assert not enforces(twin)


@on_sqlite
def test_no_other_can_write_from_the_start(twin: Twin) -> None:
    """Else an upgrade that has only read would fail as soon as it writes itself."""
    file = twin.engine.url.database
    errors: list[str] = []
    twin.app.config["ALEMBIC_CONTEXT"]["errors"] = errors
    write = f"""
    import sqlite3
    other = sqlite3.connect({file!r}, timeout=0)
    try:
        other.execute("INSERT INTO log VALUES (1)")
    except sqlite3.OperationalError as e:
        op.get_context().opts["errors"].append(str(e))
    finally:
        other.close()
    """
    twin.history(LOG)
    twin.upgrade()
    twin.history(LOG, write)
    twin.upgrade()
    assert errors == ["database is locked"]


BLOCK = "with op.get_context().autocommit_block():\n"


@on_sqlite
@per_migration
def test_an_autocommit_block_stays_in_the_transaction(twin: Twin) -> None:
    """To leave it would let another migrator in, half-way through a revision."""
    block = f"{INSERT.format(1)}\n{BLOCK}    {INSERT.format(2)}"
    driver = "op.get_bind().connection.driver_connection"
    twin.history(LOG)
    twin.upgrade()
    before = twin.dump()
    twin.history(LOG, f"{block}\nassert {driver}.in_transaction\n{FAIL}")

    with pytest.raises(MigrationError):
        twin.upgrade()

    assert twin.dump() == before
    twin.history(LOG, block)
    assert twin.upgrade() == ["a2"]
    assert twin.look(twin.engine, None).rows == {"log": [(1,), (2,)]}


@on_sqlite
@pytest.mark.parametrize(
    "statement",
    [
        "VACUUM",
        "PRAGMA journal_mode = WAL",
        "ATTACH DATABASE ':memory:' AS other",
        "PRAGMA wal_checkpoint",
    ],
)
def test_what_cannot_be_in_a_transaction_is_outside_of_it_in_such_a_block(
    statement: str, twin: Twin
) -> None:
    both = f"{BLOCK}    op.execute({statement!r})\n    op.execute({statement!r})"

    if "ATTACH" in statement:
        both = f"{BLOCK}    op.execute({statement!r})\n    op.execute('DETACH other')"

    driver = "op.get_bind().connection.driver_connection"
    again = f"{INSERT.format(2)}\nassert {driver}.in_transaction"
    twin.history(LOG, f"{INSERT.format(1)}\n{both}\n{again}")
    assert twin.upgrade() == ["a1", "a2"]
    assert twin.look(twin.engine, None).rows == {"log": [(1,), (2,)]}


@on_sqlite
def test_a_row_that_points_nowhere_is_not_committed_by_such_a_statement(
    enforcing: Twin,
) -> None:
    delete = "op.execute('DELETE FROM parent WHERE id = 2')"
    enforcing.history(PARENT, f"{delete}\n{BLOCK}    op.execute('VACUUM')")

    with pytest.raises(AsyncAlembicError, match=r"[Rr]ow 3 of.*'child'.*'parent'"):
        enforcing.upgrade()

    assert enforcing.caller.tables(enforcing.engine) == set()


@on_sqlite
def test_a_revision_may_turn_transactions_off(twin: Twin) -> None:
    off = (
        "op.get_bind().commit()\n"
        "connection = op.get_bind().execution_options(isolation_level='AUTOCOMMIT')"
    )
    twin.history(LOG, f"{off}\nconnection.exec_driver_sql('VACUUM')")
    assert twin.upgrade() == ["a1", "a2"]


@on([by_id("sqlite-sqlite3")])
@pytest.mark.parametrize("twin", [ONE_EACH], ids=["one_each"], indirect=True)
def test_another_migrator_may_come_in_between_two_transactions(
    twin: Twin, engines: EngineFactory
) -> None:
    """The file is nobody's then. What the other one has done is not done again."""
    others: list[list[str]] = []

    class Connection(sqlite3.Connection):
        def commit(self) -> None:
            super().commit()

            if not others:
                others.append([])
                others[0] += [s.revision for s in other.upgrade()]

    engine = engines.synchronous(
        twin.backend,
        connect_args={"factory": Connection},
        **one_connection(twin.backend),
    )

    twin.engine = engine
    twin.history(LOG, INSERT.format(1), INSERT.format(2))
    other = SyncAlembic(
        twin.app,
        metadatas=sa.MetaData(),
        engines=engines(twin.backend, engine.url),
        command_name="",
    )
    assert twin.upgrade() == ["a1"]
    assert others == [["a2", "a3"]]
    assert twin.look(engine, None).rows == {"log": [(1,), (2,)]}


#: Some of them fail after others, which is as good as any other failure.
OPERATIONS = [
    create_table("new"),
    "op.execute('INSERT INTO parent VALUES (3, \\'c\\')')",
    "op.execute('UPDATE parent SET name = \\'x\\'')",
    "op.execute('DELETE FROM child')",
    "op.drop_table('child')",
    "op.rename_table('parent', 'family')",
    "op.add_column('child', sa.Column('x', sa.Integer))",
    "op.create_index('names', 'parent', ['name'])",
    BATCH.strip(),
    "with op.get_bind().begin_nested():\n    op.execute('DROP TABLE child')",
    "nested = op.get_bind().begin_nested()\n"
    "op.execute('DELETE FROM parent')\nnested.rollback()",
]


@pytest.mark.parametrize("enforce", [False, True], ids=["no_keys", "foreign_keys"])
@settings(deadline=None, max_examples=50)
@given(
    revisions=strategies.lists(
        strategies.lists(strategies.sampled_from(OPERATIONS), max_size=4),
        min_size=1,
        max_size=3,
    )
)
def test_whatever_a_failing_upgrade_has_done_is_undone(
    enforce: bool, revisions: list[list[str]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        engine = sa.create_engine(f"sqlite:///{root}/shop.db")

        if enforce:
            sa.event.listen(engine, "connect", enforce_foreign_keys)

        app = make_app("flask", root)
        alembic = SyncAlembic(app, metadatas=sa.MetaData(), engines=engine)
        write_revision(root / "migrations", "a0", upgrade=PARENT)
        alembic.upgrade()
        before = dump(root / "shop.db")

        for number, operations in enumerate(revisions, 1):
            code = "\n".join([*operations, FAIL if number == len(revisions) else ""])
            write_revision(
                root / "migrations", f"a{number}", f"a{number - 1}", code or "pass"
            )

        with pytest.raises(MigrationError):
            alembic.upgrade()

        assert dump(root / "shop.db") == before
        engine.dispose()
