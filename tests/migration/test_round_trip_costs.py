"""A migration asks the server no more than it must, and nobody can tell by the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from async_alembic import Alembic
from async_alembic import AsyncAlembicError

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..harness import AnyEngine
from ..harness import Caller
from ..harness import ids
from ..harness import make_app
from ..harness import one_connection
from ..harness import queries_of
from ..harness import write_revision

ASYNCPG = by_id("postgresql-asyncpg")
#: The second writes what was kept back before, the others write at once.
on_postgresql = on([by_id("postgresql-psycopg2"), ASYNCPG])
on_each_database = on(
    [by_id("sqlite-aiosqlite"), ASYNCPG, by_id("mariadb-asyncmy")],
)
AIOSQLITE = by_id("sqlite-aiosqlite")
on_sqlite = on([by_id("sqlite-sqlite3"), AIOSQLITE])
VERSIONS = "SELECT version_num FROM alembic_version"
SEEN = f"op.execute('INSERT INTO seen {VERSIONS}')"


def table(name: str) -> str:
    return f"op.create_table('{name}', sa.Column('id', sa.Integer))"


class History:
    """Revisions, and a database that they are applied to."""

    def __init__(self, root: Path, engine: AnyEngine, caller: Caller) -> None:
        self.folder = root / "migrations"
        self.caller = caller
        self.app = make_app("flask", root)
        self.alembic = Alembic(self.app, metadatas=sa.MetaData(), engines=engine)

    def write(self, *bodies: str, **options: Any) -> None:
        for number, body in enumerate(bodies, 1):
            parent = f"a{number - 1}" if number > 1 else None
            write_revision(self.folder, f"a{number}", parent, body, **options)

    def call(self, method: str, *args: Any) -> Any:
        return self.caller(self.alembic, method, *args)

    def rows(self, statement: str) -> list[Any]:
        def fetch(env: Any) -> list[Any]:
            return list(env.op.get_bind().scalars(sa.text(statement)))

        result: list[Any] = self.call("run", fetch)
        return result


@pytest.fixture
def history(
    tmp_path: Path, backend: Backend, engines: EngineFactory, caller: Caller
) -> History:
    return History(tmp_path, engines(backend, **one_connection(backend)), caller)


@on_postgresql
class TestWhatCanBeSeen:
    """Every revision sees the version of the one before it."""

    @pytest.mark.parametrize(
        "look",
        [
            pytest.param(SEEN, id="execute"),
            pytest.param(SEEN.upper().replace("OP.EXECUTE", "op.execute"), id="case"),
            pytest.param(
                f"""
                rows = op.get_bind().execute(sa.text('{VERSIONS}')).fetchall()
                assert len(rows) == 1
                op.bulk_insert(
                    sa.table('seen', sa.column('v', sa.Text)), [{{'v': rows[0][0]}}]
                )
                """,
                id="rows",
            ),
            pytest.param(
                "op.execute('INSERT INTO seen SELECT * FROM view')", id="view"
            ),
            pytest.param("op.execute('INSERT INTO seen SELECT at()')", id="function"),
            pytest.param(
                """
                with op.get_bind().begin_nested() as savepoint:
                    op.execute('INSERT INTO seen SELECT at()')
                    savepoint.rollback()

                op.execute('INSERT INTO seen SELECT at()')
                """,
                id="savepoint",
            ),
            pytest.param(
                f"with op.get_context().autocommit_block():\n    {SEEN}", id="block"
            ),
        ],
    )
    def test_by_a_revision(self, history: History, look: str) -> None:
        history.write(
            f"""
            op.create_table('seen', sa.Column('v', sa.Text))
            op.execute('CREATE VIEW view AS {VERSIONS}')
            op.execute(
                'CREATE FUNCTION at() RETURNS text LANGUAGE plpgsql AS '
                '$$ BEGIN RETURN (SELECT max(version_num) FROM alembic_version); END $$'
            )
            """,
            "pass",
            look,
            table("other"),
            look,
        )
        history.call("upgrade")
        assert history.rows("SELECT v FROM seen") == ["a2", "a4"]
        assert history.rows(VERSIONS) == ["a5"]

    def test_by_a_trigger_of_the_version_table(self, history: History) -> None:
        """An audit log is the same, write by write."""
        history.write(
            """
            op.create_table('log', sa.Column('v', sa.Text))
            op.execute(
                'CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN'
                ' INSERT INTO log VALUES (TG_OP || NEW.version_num); RETURN NEW; END $$'
            )
            op.execute(
                'CREATE TRIGGER note AFTER UPDATE ON alembic_version'
                ' FOR EACH ROW EXECUTE FUNCTION note()'
            )
            """,
            "pass",
            "op.execute('SELECT 1')",
            "pass",
        )
        history.call("upgrade")
        log = ["UPDATEa2", "UPDATEa3", "UPDATEa4"]
        assert history.rows("SELECT v FROM log") == log

    def test_by_a_callback(self, history: History) -> None:
        seen: list[str] = []

        def note(ctx: Any, **kwargs: Any) -> None:
            seen.extend(ctx.connection.scalars(sa.text(VERSIONS)))

        history.app.config["ALEMBIC_CONTEXT"]["on_version_apply"] = note
        history.write(
            "pass",
            "op.execute('SELECT 1')",
            table("t"),
        )
        history.call("upgrade")
        assert seen == ["a1", "a2", "a3"]

    @pytest.mark.parametrize("after", ["pass", table("t")])
    def test_that_the_row_is_gone(self, history: History, after: str) -> None:
        """Whoever deletes it leaves a database that nobody knows anything about."""
        history.write("pass", "op.execute('DELETE FROM alembic_version')", after)

        with pytest.raises(AsyncAlembicError, match="row"):
            history.call("upgrade")

        assert history.call("current") == ()

    def test_that_it_is_back_where_it_was(self, history: History) -> None:
        history.write(
            table("t"),
            table("u"),
            "1 / 0",
        )

        with pytest.raises(AsyncAlembicError, match="division"):
            history.call("upgrade")

        assert history.call("current") == ()
        assert history.rows("SELECT to_regclass('t')") == [None]

    def test_that_branches_are_applied_in_turn(self, history: History) -> None:
        history.write(
            table("t"),
            table("u"),
            "pass",
        )
        write_revision(
            history.folder,
            "b1",
            None,
            table("v"),
        )
        write_revision(history.folder, "b2", "b1", "pass", depends_on="a2")
        write_revision(
            history.folder,
            "m1",
            ("b2", "a3"),
            table("w"),
        )
        history.call("upgrade")
        assert history.rows(VERSIONS) == ["m1"]
        history.call("downgrade", "b1")
        assert sorted(history.rows(VERSIONS)) == ["a3", "b1"]
        history.call("downgrade", "base")
        assert history.rows(VERSIONS) == []

    def test_that_branches_go_on_beside_each_other(self, history: History) -> None:
        for branch in "ab":
            for number in 1, 2, 3:
                parent = f"{branch}{number - 1}" if number > 1 else None
                write_revision(history.folder, f"{branch}{number}", parent, "pass")

        history.call("upgrade", ["a1", "b1"])
        history.call("upgrade")
        assert sorted(history.rows(VERSIONS)) == ["a3", "b3"]


@on_sqlite
class TestWhatCanBeSeenOnSQLite:
    """Every revision sees the version of the one before it."""

    @pytest.mark.parametrize(
        "look",
        [
            pytest.param(SEEN, id="execute"),
            pytest.param(
                f"""
                cursor = op.get_bind().connection.cursor()
                op.get_bind().dialect.do_execute(cursor, "{VERSIONS}", ())
                [(version,)] = cursor.fetchall()
                cursor.close()
                op.execute(f"INSERT INTO seen VALUES ('{{version}}')")
                """,
                id="cursor of the adapter",
            ),
            pytest.param(
                f"with op.get_context().autocommit_block():\n    {SEEN}", id="block"
            ),
        ],
    )
    def test_by_a_revision(self, history: History, look: str) -> None:
        history.write(
            "op.create_table('seen', sa.Column('v', sa.Text))",
            "pass",
            look,
            table("other"),
            look,
        )
        history.call("upgrade")
        assert history.rows("SELECT v FROM seen") == ["a2", "a4"]
        assert history.rows(VERSIONS) == ["a5"]

    def test_by_a_trigger_of_the_version_table(self, history: History) -> None:
        history.write(
            """
            op.create_table('log', sa.Column('v', sa.Text))
            op.execute(
                'CREATE TRIGGER note AFTER UPDATE ON alembic_version BEGIN'
                ' INSERT INTO log VALUES (NEW.version_num); END'
            )
            """,
            "pass",
            "op.execute('SELECT 1')",
            "pass",
        )
        history.call("upgrade")
        assert history.rows("SELECT v FROM log") == ["a2", "a3", "a4"]

    def test_by_what_runs_outside_of_a_transaction(self, history: History) -> None:
        vacuum = "with op.get_context().autocommit_block():\n    op.execute('VACUUM')"
        history.write(table("t"), "pass", vacuum, f"{vacuum}\n1 / 0")

        with pytest.raises(AsyncAlembicError, match="division"):
            history.call("upgrade")

        assert history.rows(VERSIONS) == ["a3"]

    @pytest.mark.parametrize("after", ["pass", table("t")])
    def test_that_the_row_is_gone(self, history: History, after: str) -> None:
        history.write("pass", "op.execute('DELETE FROM alembic_version')", after)

        with pytest.raises(AsyncAlembicError, match="row"):
            history.call("upgrade")

        assert history.call("current") == ()

    def test_that_it_is_back_where_it_was(self, history: History) -> None:
        history.write(table("t"), table("u"), "1 / 0")

        with pytest.raises(AsyncAlembicError, match="division"):
            history.call("upgrade")

        assert history.call("current") == ()


async def test_a_revision_of_one_statement_costs_one_switch_on_aiosqlite(
    tmp_path: Path,
    engine_for: EngineFactory,
    caller: Caller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A switch to the driver's thread takes longer than the statement. What hands over
    several statements at once is not public, so this fails if it changes.
    """
    import aiosqlite

    execute: Any = aiosqlite.Connection._execute
    switches: list[Any] = []

    async def count(self: Any, fn: Any, *args: Any, **kwargs: Any) -> Any:
        switches.append(fn)
        return await execute(self, fn, *args, **kwargs)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", count)
    history = History(tmp_path, engine_for(AIOSQLITE), caller)
    history.write(*[table(f"t{number}") for number in range(60)])
    counts = []

    # The first makes the version table.
    for target in 1, 10, 40:
        switches.clear()
        assert len(await history.alembic.upgrade(target)) == target
        counts.append(len(switches))

    _, few, many = counts
    assert many - few == 30


async def test_a_revision_of_one_statement_costs_one_round_trip_on_asyncpg(
    tmp_path: Path, engine_for: EngineFactory, caller: Caller
) -> None:
    """Where the network is slow, that is what a long history takes."""
    engine = engine_for(ASYNCPG)
    assert isinstance(engine, AsyncEngine)
    queries: list[str] = []

    @sa.event.listens_for(engine.sync_engine, "connect")
    def log(connection: Any, record: Any) -> None:
        connection.driver_connection.add_query_logger(
            lambda query: queries.append(query.query)
        )

    history = History(tmp_path, engine, caller)
    history.write(*[table(f"t{number}") for number in range(60)])
    counts = []

    for target in 10, 50:
        queries.clear()
        assert len(await history.alembic.upgrade(target)) == target
        counts.append(len(queries))

    few, many = counts
    # If it takes seconds, the lock is looked at as well.
    assert many - few <= 40 + 10
    assert await history.alembic.needs_upgrade() is False


@on_each_database
async def test_at_head_two_queries_are_enough(
    backend: Backend, engine_for: EngineFactory, tmp_path: Path, caller: Caller
) -> None:
    engine = engine_for(backend)
    history = History(tmp_path, engine, caller)
    history.write("pass", "pass")
    await history.alembic.upgrade()
    statements = queries_of(engine)
    assert await history.alembic.upgrade() == []
    assert len(statements) <= 2, statements


@on_each_database
async def test_the_update_of_the_version_table_is_compiled_once(
    backend: Backend, engine_for: EngineFactory, tmp_path: Path, caller: Caller
) -> None:
    """Although Alembic makes another one for each revision."""
    engine = engine_for(backend)
    history = History(tmp_path, engine, caller)
    history.write(*["pass"] * 20)
    statements = queries_of(engine)
    assert len(await history.alembic.upgrade()) == 20
    updates = [s for s in statements if s.startswith("UPDATE ")]
    assert len(updates) == 19
    assert len(set(updates)) == 1
    assert ids(await history.alembic.current()) == ["a20"]


@on([by_id("sqlite-sqlite3")])
def test_what_a_revision_writes_into_the_version_table_is_left_as_it_is(
    history: History,
) -> None:
    """Even if it looks like what Alembic writes."""
    history.write(
        "op.execute('CREATE TABLE seen (v TEXT)')",
        """
        id = sa.Column("version_num", sa.Text)
        versions = sa.Table("alembic_version", sa.MetaData(), id)
        one, other = sa.literal_column("lower('X')"), sa.literal_column("'a1'")
        op.execute(versions.update().values(version_num=one).where(id == other))
        op.execute("INSERT INTO seen SELECT version_num FROM alembic_version")
        op.execute(versions.update().values(version_num=other).where(id > other))
        """,
    )
    history.call("upgrade")
    assert history.rows("SELECT v FROM seen") == ["x"]
    assert history.rows(VERSIONS) == ["a2"]


@on_each_database
async def test_the_statements_of_the_app_stay_compiled(
    backend: Backend, engine_for: EngineFactory, tmp_path: Path, caller: Caller
) -> None:
    """A migration in a process that serves requests has statements by the hundreds,
    which nobody will ever execute again.
    """
    cache: dict[Any, Any] = {}
    engine = engine_for(backend).execution_options(compiled_cache=cache)
    history = History(tmp_path, engine, caller)
    history.write(*[table(f"t{number}") for number in range(20)])
    await history.alembic.status()
    before = len(cache)
    assert len(ids(await history.alembic.upgrade())) == 20
    assert len(cache) - before < 10
