"""``alembic.op`` and ``alembic.context`` mean the database of whoever uses them."""

from __future__ import annotations

import asyncio
import sqlite3
import textwrap
import threading
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import alembic.command
import alembic.context
import alembic.op
import pytest
import sqlalchemy as sa
from alembic import op
from alembic.config import Config
from flask.sansio.app import App

from async_alembic import Alembic
from async_alembic.errors import DatabaseConnectionError
from async_alembic.errors import MigrationError

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..harness import AnyEngine
from ..harness import blocking_only
from ..harness import Caller
from ..harness import create_table
from ..harness import make_app
from ..harness import write_revision

SYNC, ASYNC = by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")
on_both_kinds = on([SYNC, ASYNC])
COUNT = 20


@pytest.fixture(autouse=True)
def proxies() -> Iterator[None]:
    """Nothing is ever left in Alembic's modules."""
    before = left_in_modules()
    yield
    assert left_in_modules() == before


def left_in_modules() -> dict[str, dict[str, Any]]:
    """What stands in Alembic's modules while a migration runs."""

    def look(module: ModuleType) -> dict[str, Any]:
        names = ("_proxy", "__getattr__", "config", "script")
        found = {name: vars(module).get(name) for name in names}
        return {name: value for name, value in found.items() if value is not None}

    return {"op": look(alembic.op), "context": look(alembic.context)}


class Site:
    """An app whose revisions make the tables "<name>_1" to "<name>_3".

    :param number: Tells it from the others.
    """

    def __init__(self, number: int, engine: AnyEngine, root: Path) -> None:
        self.name = f"site{number}"
        self.engine = engine
        self.root = root / self.name
        self.app: App = make_app("flask", self.root)
        self.alembic = Alembic(self.app, metadatas=sa.MetaData(), engines=engine)
        self.tables = {f"{self.name}_{step}" for step in (1, 2, 3)}

        for step in (1, 2, 3):
            self.revision(step, create_table(f"{self.name}_{step}"))

    def revision(self, step: int, code: str) -> None:
        """Write a revision that also looks whether all parts of Alembic agree."""
        after = f"{self.name}r{step - 1}" if step > 1 else None
        check = f"""
        from alembic import context
        import alembic.op
        assert context.script.dir == {str(self.root / "migrations")!r}
        assert context.config.get_main_option("script_location") == context.script.dir
        assert context.get_context() is op.get_context() is op.migration_context
        assert context.get_x_argument() == []
        assert context.get_bind() is op.get_bind() is alembic.op.get_bind()
        op.execute("SELECT 1")
        """
        code = textwrap.dedent(check) + textwrap.dedent(code)
        write_revision(self.root / "migrations", f"{self.name}r{step}", after, code)


def tables_of(connection: sa.Connection) -> set[str]:
    return {*sa.inspect(connection).get_table_names()} - {"alembic_version"}


async def tables_in(engine: AnyEngine) -> set[str]:
    if isinstance(engine, sa.Engine):
        with engine.connect() as connection:
            return tables_of(connection)

    async with engine.connect() as async_connection:
        return await async_connection.run_sync(tables_of)


@on([ASYNC, SYNC, by_id("postgresql-asyncpg")])
async def test_upgrades_of_one_event_loop_do_not_cross(
    backend: Backend, engine_for: EngineFactory, tmp_path: Path
) -> None:
    """With Alembic alone, one database gets the tables of all, in silence."""
    count = 8 if backend.database == "postgresql" else COUNT
    sites = [Site(number, engine_for(backend), tmp_path) for number in range(count)]
    await asyncio.gather(*(site.alembic.upgrade() for site in sites))

    for site in sites:
        assert await tables_in(site.engine) == site.tables


@on_both_kinds
@blocking_only
def test_upgrades_in_threads_do_not_cross(
    backend: Backend, engines: EngineFactory, caller: Caller, tmp_path: Path
) -> None:
    sites = [Site(number, engines(backend), tmp_path) for number in range(COUNT)]

    with ThreadPoolExecutor(COUNT) as executor:
        for _ in executor.map(lambda site: site.alembic.sync.upgrade(), sites):
            pass

    for site in sites:
        assert caller.tables(site.engine) == site.tables


async def test_upgrades_of_every_kind_at_once_do_not_cross(
    engine_for: EngineFactory, tmp_path: Path
) -> None:
    def site(number: int) -> Site:
        backend = SYNC if number % 2 else ASYNC
        return Site(number, engine_for(backend), tmp_path)

    sites = [site(number) for number in range(COUNT)]
    await asyncio.gather(
        *(
            asyncio.to_thread(site.alembic.sync.upgrade)
            if number % 4 < 2
            else site.alembic.upgrade()
            for number, site in enumerate(sites)
        )
    )

    for each in sites:
        assert await tables_in(each.engine) == each.tables


async def test_one_that_fails_does_not_disturb_the_others(
    engine_for: EngineFactory, tmp_path: Path
) -> None:
    sites = [Site(number, engine_for(ASYNC), tmp_path) for number in range(COUNT)]

    for site in sites[::3]:
        site.revision(2, "raise ValueError('no')")

    upgrades = (site.alembic.upgrade() for site in sites)
    results = await asyncio.gather(*upgrades, return_exceptions=True)

    for number, (site, result) in enumerate(zip(sites, results, strict=True)):
        assert isinstance(result, MigrationError) is (number % 3 == 0)
        expected = set() if number % 3 == 0 else site.tables
        assert await tables_in(site.engine) == expected


async def test_a_helper_module_means_the_database_of_its_caller(
    engine_for: EngineFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is imported once, and is used by all of them at the same time."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "isolation_helper.py").write_text(
        "import alembic\nfrom alembic import context, op\n"
        "from alembic.op import create_table\n"
        "import sqlalchemy as sa\n"
        "def make(name):\n"
        "    create_table(name, sa.Column('id', sa.Integer))\n"
        "    op.add_column(name, sa.Column('a', sa.Integer))\n"
        "    alembic.op.add_column(name, sa.Column('b', sa.Integer))\n"
        "    context.get_bind().execute(sa.text(f'DELETE FROM {name}'))\n"
    )
    sites = [Site(number, engine_for(ASYNC), tmp_path) for number in range(COUNT)]

    for site in sites:
        site.revision(2, f"import isolation_helper as h\nh.make('{site.name}_2')")

    await asyncio.gather(*(site.alembic.upgrade() for site in sites))

    for site in sites:
        assert await tables_in(site.engine) == site.tables


def plain_upgrade(root: Path) -> Path:
    """Upgrade a database with Alembic's own command. Returns its file."""
    folder = root / "plain"
    file = root / "plain.db"
    write_revision(folder / "versions", "p1", upgrade=create_table("plain_1"))
    write_revision(folder / "versions", "p2", "p1", create_table("plain_2"))
    (folder / "env.py").write_text(
        "from alembic import context\n"
        "from sqlalchemy import create_engine, pool\n"
        "url = context.config.get_main_option('sqlalchemy.url')\n"
        "with create_engine(url, poolclass=pool.NullPool).connect() as connection:\n"
        "    context.configure(connection=connection)\n"
        "    with context.begin_transaction():\n"
        "        context.run_migrations()\n"
    )
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "os")
    config.set_main_option("sqlalchemy.url", f"sqlite:///{file}")
    alembic.command.upgrade(config, "heads")
    return file


def tables_in_file(file: Path) -> set[str]:
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (name,) in rows} - {"alembic_version"}


@on_both_kinds
def test_the_command_of_alembic_works_before_and_after(
    backend: Backend, engines: EngineFactory, caller: Caller, tmp_path: Path
) -> None:
    first = plain_upgrade(tmp_path / "first")
    site = Site(1, engines(backend), tmp_path)
    caller(site.alembic, "upgrade")
    second = plain_upgrade(tmp_path / "second")
    assert tables_in_file(first) == tables_in_file(second) == {"plain_1", "plain_2"}
    assert caller.tables(site.engine) == site.tables


@on_both_kinds
def test_the_command_of_alembic_works_within_a_revision(
    backend: Backend, engines: EngineFactory, caller: Caller, tmp_path: Path
) -> None:
    """It takes ``op`` away from what encloses it; the next revision has it again."""
    site = Site(1, engines(backend), tmp_path)
    site.app.config["ALEMBIC_CONTEXT"]["plain"] = lambda: plain_upgrade(tmp_path)
    site.revision(2, f"{create_table('site1_2')}\nop.get_context().opts['plain']()")
    caller(site.alembic, "upgrade")
    assert tables_in_file(tmp_path / "plain.db") == {"plain_1", "plain_2"}
    assert caller.tables(site.engine) == site.tables


@on_both_kinds
@blocking_only
def test_an_upgrade_works_within_one_of_alembic(
    backend: Backend,
    engines: EngineFactory,
    caller: Caller,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And gives ``op`` back: what follows in that revision reaches its database."""
    site = Site(1, engines(backend), tmp_path)
    calls: list[Callable[[], object]] = [site.alembic.sync.upgrade]
    monkeypatch.setattr(alembic, "calls_of_test", calls, raising=False)
    plain = tmp_path / "plain"
    write_revision(
        plain / "versions",
        "p3",
        "p2",
        f"import alembic\nalembic.calls_of_test[0]()\n{create_table('plain_3')}\n"
        "from alembic import context\nassert context.config and context.script",
    )
    file = plain_upgrade(tmp_path)
    assert tables_in_file(file) == {"plain_1", "plain_2", "plain_3"}
    assert caller.tables(site.engine) == site.tables


@on_both_kinds
def test_an_upgrade_works_within_another(
    backend: Backend,
    engines: EngineFactory,
    caller: Caller,
    tmp_path: Path,
) -> None:
    """As of a tenant's database in a revision of the one that lists the tenants."""
    outer = Site(1, engines(SYNC), tmp_path)
    inner = Site(2, engines(backend), tmp_path)
    outer.app.config["ALEMBIC_CONTEXT"]["inner"] = inner.alembic.sync.upgrade
    outer.revision(2, f"op.get_context().opts['inner']()\n{create_table('site1_2')}")
    caller(outer.alembic, "upgrade")
    assert caller.tables(inner.engine) == inner.tables
    assert caller.tables(outer.engine) == outer.tables


FAILURES = {
    "revision": "raise ValueError('no')",
    "statement": "op.execute('SELECT nonsense')",
    "exit": "raise SystemExit(3)",
    "interrupt": "raise KeyboardInterrupt",
}


@on_both_kinds
@pytest.mark.parametrize("name", FAILURES)
def test_nothing_is_left_after_a_failure(
    name: str, backend: Backend, engines: EngineFactory, caller: Caller, tmp_path: Path
) -> None:
    """Alembic alone leaves ``op`` bound to a closed connection."""
    site = Site(1, engines(backend), tmp_path)
    site.revision(3, FAILURES[name])
    before = left_in_modules()

    with pytest.raises((MigrationError, SystemExit, KeyboardInterrupt)):
        caller(site.alembic, "upgrade")

    assert left_in_modules() == before
    assert caller.tables(site.engine) == set()

    # An AttributeError if a plain command has left None there.
    with pytest.raises((NameError, AttributeError)):
        alembic.op.get_bind()


def test_nothing_is_left_where_no_connection_was_made(
    caller: Caller, tmp_path: Path
) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path}/no/such/folder.db")
    site = Site(1, engine, tmp_path)

    with pytest.raises(DatabaseConnectionError):
        caller(site.alembic, "upgrade")


@on_both_kinds
def test_nothing_is_left_by_what_needs_no_migration(
    backend: Backend, engines: EngineFactory, caller: Caller, tmp_path: Path
) -> None:
    site = Site(1, engines(backend), tmp_path)
    before = left_in_modules()

    for method in "current", "compare_metadata", "status", "upgrade", "needs_revision":
        caller(site.alembic, method)
        assert left_in_modules() == before

    with pytest.raises(ZeroDivisionError):
        caller(site.alembic, "run", lambda env: 1 / 0)

    assert left_in_modules() == before


@on_both_kinds
async def test_op_of_a_running_migration_is_not_for_other_tasks(
    backend: Backend, engine_for: EngineFactory, tmp_path: Path
) -> None:
    """With Alembic alone, they would write to a database that is not theirs."""
    running, done = threading.Event(), threading.Event()
    site = Site(1, engine_for(backend), tmp_path)
    options = site.app.config["ALEMBIC_CONTEXT"]
    options |= {"running": running, "done": done}
    wait = """
    opts = op.get_context().opts
    opts["running"].set()
    while not opts["done"].wait(0.01):
        op.execute("SELECT 1")
    """
    site.revision(3, wait + create_table("site1_3"))
    upgrade = asyncio.create_task(site.alembic.upgrade())

    await asyncio.to_thread(running.wait)

    def use_op() -> None:
        alembic.op.execute("DROP TABLE site1_1")

    def use_context() -> None:
        alembic.context.get_bind()

    def use_config() -> None:
        str(alembic.context.config)

    try:
        for use in use_op, use_context, use_config:
            with pytest.raises((NameError, AttributeError), match="no migration"):
                use()

            with pytest.raises((NameError, AttributeError), match="no migration"):
                await asyncio.to_thread(use)
    finally:
        done.set()

    await upgrade
    assert await tables_in(site.engine) == site.tables


@on_both_kinds
async def test_a_cancelled_upgrade_leaves_nothing(
    backend: Backend, engine_for: EngineFactory, tmp_path: Path
) -> None:
    running = threading.Event()
    site = Site(1, engine_for(backend), tmp_path)
    site.app.config["ALEMBIC_CONTEXT"]["running"] = running
    site.revision(
        3,
        """
        import time
        op.get_context().opts["running"].set()
        for _ in range(300):
            op.execute("SELECT 1")
            time.sleep(0.001)
        """,
    )
    upgrade = asyncio.create_task(site.alembic.upgrade())

    await asyncio.to_thread(running.wait)

    upgrade.cancel()

    with pytest.raises(asyncio.CancelledError):
        await upgrade


def test_the_module_has_what_the_object_has_and_nothing_else(
    engines: EngineFactory, caller: Caller, tmp_path: Path
) -> None:
    app = make_app("flask", tmp_path)
    alembic = Alembic(
        app, metadatas=sa.MetaData(), engines=engines(by_id("sqlite-memory-sqlite3"))
    )
    write_revision(
        tmp_path / "migrations",
        "a1",
        upgrade="""
        from alembic import context
        assert op.migration_context is op.get_context() is context.get_context()
        assert context.config.get_main_option('script_location')
        assert not hasattr(op, 'nothing_like_this')
        assert not hasattr(op, '_nothing_like_this')
        """,
    )
    caller(alembic, "upgrade")
    assert not hasattr(op, "migration_context")


def test_outside_of_the_migration_the_module_has_no_attributes(
    engines: EngineFactory, runner: asyncio.Runner, tmp_path: Path
) -> None:
    """Another thread must not see the database that is migrated in this one."""
    app = make_app("flask", tmp_path)
    alembic = Alembic(
        app, metadatas=sa.MetaData(), engines=engines(by_id("sqlite-memory-sqlite3"))
    )

    def look(env: Any) -> bool:
        assert hasattr(op, "migration_context")

        with ThreadPoolExecutor(1) as executor:
            return bool(executor.submit(hasattr, op, "migration_context").result())

    assert alembic.sync.run(look) is False


@on([by_id("sqlite-sqlite3"), by_id("postgresql-psycopg2"), by_id("mariadb-pymysql")])
@pytest.mark.parametrize("kind", ["thread", "pool", "task"])
def test_op_works_in_threads_and_tasks_of_a_revision(
    kind: str, backend: Backend, engines: EngineFactory, caller: Caller, tmp_path: Path
) -> None:
    """As with Alembic alone, also while another migration runs."""
    start = {
        "thread": "thread = threading.Thread(target=change)\n"
        "thread.start()\nthread.join()",
        "pool": "with ThreadPoolExecutor(1) as pool:\n    pool.submit(change).result()",
        "task": "async def main():\n    change()\n"
        "thread = threading.Thread(target=lambda: asyncio.run(main()))\n"
        "thread.start()\nthread.join()",
    }[kind]
    code = (
        "import asyncio, threading\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "def change():\n"
        f"    {create_table('site{}_4')}\n{start}"
    )
    sites = [Site(number, engines(backend), tmp_path) for number in (1, 2)]
    barrier = threading.Barrier(2)

    for number, site in enumerate(sites, 1):
        site.app.config["ALEMBIC_CONTEXT"]["barrier"] = barrier
        wait = "op.get_context().opts['barrier'].wait(30)"
        site.revision(3, f"{wait}\n{code.format(number)}\n{wait}")

    start_of_threads = threading.Thread.start

    with ThreadPoolExecutor(2) as executor:
        calls = [executor.submit(site.alembic.sync.upgrade) for site in sites]

    for number, (site, call) in enumerate(zip(sites, calls, strict=True), 1):
        call.result()
        assert f"site{number}_4" in caller.tables(site.engine)

    assert threading.Thread.start is start_of_threads
