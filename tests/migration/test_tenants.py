"""A schema or a database for each tenant, migrated many at once."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import trio
from sqlalchemy.ext.asyncio import AsyncEngine

from async_alembic import Alembic
from async_alembic import DatabaseConnectionError
from async_alembic import LockTimeout
from async_alembic import MigrationError
from async_alembic import PartialRevisionError
from async_alembic import TargetError
from async_alembic import TenantResult
from async_alembic.dialects import schema_heads

from ..backends import Backend
from ..backends import by_id
from ..backends import DatabaseFactory
from ..backends import EngineFactory
from ..backends import on
from ..backends import POSTGRESQL_BACKENDS
from ..backends import SHARED_BACKENDS
from ..direct import end_sessions
from ..direct import execute
from ..harness import Caller
from ..harness import create_table
from ..harness import ids
from ..harness import make_app
from ..harness import queries_of
from ..harness import write_revision
from ..servers import PostgresServer
from ..tenant_sites import by_name
from ..tenant_sites import on_each_database
from ..tenant_sites import on_schemas
from ..tenant_sites import Site
from ..tenant_sites import site as site

on_each_driver = on(SHARED_BACKENDS)


@on_each_driver
def test_each_tenant_is_upgraded_in_its_own_place(site: Site, caller: Caller) -> None:
    found = by_name(caller.collect(site.alembic, "upgrade_tenants"))
    assert {
        name: ids(result.applied) for name, result in found.items()
    } == dict.fromkeys(site.names, ["a1", "b2"])

    for name in site.names:
        assert site.version(name) == "b2"
        site.execute(name, "INSERT INTO posts (id) VALUES (1)")

    again = by_name(caller.collect(site.alembic, "upgrade_tenants"))
    assert {name: result.value for name, result in again.items()} == dict.fromkeys(
        site.names, []
    )


@on([by_id("mariadb-pymysql"), by_id("mariadb-asyncmy")])
def test_on_mariadb_the_names_are_those_of_databases(
    site: Site, caller: Caller
) -> None:
    names = {name: str(url.database) for name, url in site.urls.items()}
    alembic = Alembic(
        site.app,
        metadatas=sa.MetaData(),
        engines=site.engine,
        tenants=lambda: names.values(),
    )
    found = by_name(caller.collect(alembic, "upgrade_tenants"))
    assert found.keys() == {*names.values()}
    assert [site.version(name) for name in names] == ["b2"] * 4
    states = caller.collect(alembic, "status_of_tenants")
    assert {result.value.state for result in states} == {"current"}
    assert ids(caller(alembic.with_options(tenant=names["acme"]), "current")) == ["b2"]
    assert caller.tables(site.engine) == set()


@on_each_database
def test_the_shared_part_has_its_own_history(site: Site, caller: Caller) -> None:
    """Whoever upgrades the app's database does not get the tenants' tables there."""
    caller.collect(site.alembic, "upgrade_tenants")
    assert caller(site.alembic, "upgrade") == []
    assert caller.tables(site.engine) == set()


@on_each_database
def test_all_methods_work_for_one_tenant(site: Site, caller: Caller) -> None:
    one = site.alembic.with_options(tenant="acme")
    assert ids(caller(one, "upgrade")) == ["a1", "b2"]
    assert ids(caller(one, "current")) == ["b2"]
    assert caller(one, "status")["acme"].state == "current"
    assert ids(caller(one, "downgrade", "a1")) == ["b2"]
    assert len(caller(one, "plan")["acme"].revisions) == 1
    assert caller(one, "drift") == {"acme": []}
    sa.Table("users", site.metadata, sa.Column("id", sa.Integer, primary_key=True))
    caller(one, "upgrade")
    sa.Table("posts", site.metadata, sa.Column("id", sa.Integer, primary_key=True))
    assert caller(one, "compare_metadata") == []
    assert caller(one, "unknown_tables") == {"acme": []}
    assert not caller(one, "needs_upgrade")
    sa.Table("likes", site.metadata, sa.Column("id", sa.Integer, primary_key=True))
    [script] = caller(one, "revision", "likes")
    assert Path(script.path).parent == site.folder
    assert "create_table('likes'" in Path(script.path).read_text()
    others = by_name(caller.collect(site.alembic, "status_of_tenants"))
    assert others["globex"].value.state == "empty"


@on_each_database
def test_other_methods_take_all_tenants(site: Site, caller: Caller) -> None:
    collect, alembic = caller.collect, site.alembic
    plans = by_name(collect(alembic, "plan_tenants"))
    assert {len(result.value.revisions) for result in plans.values()} == {2}
    assert collect(alembic, "upgrade_tenants", "a1", only=["acme", "globex"])
    status = by_name(collect(alembic, "status_of_tenants"))
    assert [status[name].value.state for name in site.names] == [
        *("behind", "behind", "empty", "empty")
    ]
    sa.Table("users", site.metadata, sa.Column("id", sa.Integer, primary_key=True))
    checks = by_name(collect(alembic, "check_tenants", only=["acme", "initech"]))
    assert [checks[name].value for name in ("acme", "initech")] == [
        *([], ["add table users"])
    ]
    stamped = collect(alembic, "stamp_tenants", "b2", only="initech")
    assert [result.error for result in stamped] == [None]
    assert site.version("initech") == "b2"
    down = by_name(collect(alembic, "downgrade_tenants", "base", only=["acme"]))
    assert ids(down["acme"].applied) == ["a1"]
    assert caller(alembic, "tenant_names") == site.names


@on_each_database
def test_a_tenant_that_fails_is_named_and_the_others_go_on(
    site: Site, caller: Caller
) -> None:
    caller.collect(site.alembic, "upgrade_tenants", "a1")
    site.execute("globex", "CREATE TABLE posts (id INTEGER)")
    found = by_name(caller.collect(site.alembic, "upgrade_tenants"))
    error = found["globex"].error
    assert isinstance(error, MigrationError)
    assert "'globex'" in str(error)
    assert found["globex"].applied == ()
    assert site.version("globex") == "a1"
    others = [name for name in site.names if name != "globex"]
    assert [site.version(name) for name in others] == ["b2", "b2", "b2"]

    site.execute("globex", "DROP TABLE posts")
    alembic = site.alembic

    if site.engine.dialect.name == "mysql":
        # What was half applied was undone by hand.
        caller(alembic.with_options(tenant="globex"), "upgrade", retry=True)

    caller.collect(alembic, "upgrade_tenants", only=["globex"])
    assert site.version("globex") == "b2"


@on([by_id("mariadb-pymysql"), by_id("mariadb-asyncmy")])
@pytest.mark.parametrize("way", ["resume", "retry"])
def test_tenants_with_a_half_applied_revision_go_on(
    site: Site, caller: Caller, way: str
) -> None:
    """As one that a killed process has left. The others are upgraded as usual."""
    caller.collect(site.alembic, "upgrade_tenants")
    create = create_table("one") + "\n" + create_table("two")
    write_revision(site.folder, "c3", "b2", create)
    late, *half = site.names

    for name in half:
        site.execute(name, "CREATE TABLE two (id INTEGER)")

    found = by_name(caller.collect(site.alembic, "upgrade_tenants", only=half))
    assert all(isinstance(result.error, MigrationError) for result in found.values())

    for name in half:
        site.execute(name, "DROP TABLE two")

        if way == "retry":
            site.execute(name, "DROP TABLE one")

    found = by_name(caller.collect(site.alembic, "upgrade_tenants"))
    refused = [n for n, r in found.items() if isinstance(r.error, PartialRevisionError)]
    assert sorted(refused) == sorted(half)
    assert site.version(late) == "c3"
    found = by_name(caller.collect(site.alembic, "upgrade_tenants", **{way: True}))
    assert {name: ids(result.applied) for name, result in found.items()} == {
        late: [],
        **dict.fromkeys(half, ["c3"]),
    }

    for name in site.names:
        assert site.execute(name, "SELECT * FROM two") == []


@on_schemas
def test_listeners_of_new_connections_count_for_every_tenant(
    site: Site, caller: Caller
) -> None:
    """Sessions are used again, and reset in between."""
    engine = getattr(site.engine, "sync_engine", site.engine)

    @sa.event.listens_for(engine, "connect")
    def mark(connection: Any, record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("SET application_name = 'marked'")
        cursor.close()
        connection.commit()

    keep = "CREATE TABLE marks AS SELECT current_setting('application_name') AS mark"
    write_revision(site.folder, "c3", "b2", f"op.execute({keep!r})")
    caller.collect(site.alembic, "upgrade_tenants", limit=1)

    for name in site.names:
        assert site.execute(name, "SELECT mark FROM marks") == [("marked",)]


@on([by_id(f"postgresql-{name}") for name in ("psycopg2", "psycopg", "asyncpg")])
def test_the_default_schema_is_that_of_the_tenant(site: Site, caller: Caller) -> None:
    """What is kept with a session is not taken for what another tenant has."""
    body = """
        bind = op.get_bind()
        assert bind.dialect.default_schema_name == sa.inspect(bind).default_schema_name
        op.create_table(f"of_{bind.dialect.default_schema_name}", sa.Column("id"))
        """
    body = body.replace('sa.Column("id")', 'sa.Column("id", sa.Integer)')
    write_revision(site.folder, "c3", "b2", body)
    found = caller.collect(site.alembic, "upgrade_tenants", limit=1)
    assert [result.error for result in found] == [None] * 4

    for name in site.names:
        assert site.execute(name, f'SELECT * FROM "of_{name}"') == []


@on([by_id("postgresql-psycopg2"), by_id("mariadb-pymysql")])
def test_tenants_take_turns_on_a_few_threads(site: Site, caller: Caller) -> None:
    """To start a thread for each would take longer than much of what runs in it."""
    body = """
        import threading
        name = f"by_{threading.get_native_id()}"
        op.create_table(name, sa.Column("id", sa.Integer))
        """
    write_revision(site.folder, "c3", "b2", body)
    caller.collect(site.alembic, "upgrade_tenants", limit=2)
    query = "SELECT DISTINCT table_name FROM information_schema.tables"
    query += " WHERE table_name LIKE 'by|_%%' ESCAPE '|'"
    assert len({row for name in site.names for row in site.execute(name, query)}) <= 2


@on_schemas
def test_the_names_of_others_do_not_matter_for_drift(
    site: Site, caller: Caller
) -> None:
    """The server quotes some of them."""
    others = ["acme-corp", "in itech", " hooli", 'o"reilly', "select", "100%"]

    for name in others:
        caller(site.alembic, "create_tenant", name)

    site.names.extend(others)
    caller.collect(site.alembic, "upgrade_tenants")

    for name in "acme", "acme-corp", " hooli":
        one = site.alembic.with_options(tenant=name)
        assert caller(one, "drift") == {name: []}

    site.execute("acme-corp", "ALTER TABLE users ADD COLUMN name TEXT")
    [line] = caller(one.with_options(tenant="acme-corp"), "drift")["acme-corp"]
    assert line.startswith("+ column users.name")


@on_schemas
def test_a_schema_may_have_a_percent_sign(site: Site, caller: Caller) -> None:
    name = "100% {more}"
    site.names.append(name)
    site.execute(None, 'CREATE SCHEMA "100%% {more}"')
    write_revision(site.folder, "c3", "b2", create_table("c"), "op.drop_table('c')")
    reads = (
        create_table("d") + "\nassert op.get_bind().scalar(sa.text('SELECT 1')) == 1"
    )
    write_revision(site.folder, "d4", "c3", reads, "op.drop_table('d')")

    for method, *args in ("upgrade_tenants",), ("downgrade_tenants", "base"):
        found = by_name(caller.collect(site.alembic, method, *args, only=[name]))
        assert found[name].error is None
        assert len(found[name].value) == 4


@pytest.mark.parametrize("driver", ["psycopg2", "asyncpg"])
def test_a_server_that_is_down_is_not_hammered(
    driver: str, tmp_path: Path, caller: Caller, engines: EngineFactory
) -> None:
    backend = by_id(f"postgresql-{driver}")
    engine = engines(backend, sa.make_url(f"postgresql+{driver}://u@127.0.0.1:1/d"))
    attempts = []
    sync_engine = getattr(engine, "sync_engine", engine)
    sa.event.listen(sync_engine, "do_connect", lambda *args: attempts.append(args))
    app = make_app("flask", tmp_path)
    alembic = Alembic(
        app, metadatas=sa.MetaData(), engines=engine, tenants=lambda: ["acme"]
    )
    write_revision(tmp_path / "tenant_migrations", "a1")

    with pytest.raises(DatabaseConnectionError):
        caller.collect(alembic, "upgrade_tenants", timeout=2)

    assert 2 <= len(attempts) < 20


@on_schemas
def test_no_other_tenant_is_begun_after_a_failure(site: Site, caller: Caller) -> None:
    for name in site.names:
        site.execute(name, "CREATE TABLE users (id INTEGER)")

    options = {"keep_going": False, "limit": 1}
    found = caller.collect(site.alembic, "upgrade_tenants", **options)
    assert len(found) == 1
    assert isinstance(found[0].error, MigrationError)


@on_each_database
def test_a_locked_tenant_is_come_back_to(site: Site, caller: Caller) -> None:
    """Somebody else migrates it; what that one has applied is not applied again."""
    write_revision(
        site.folder, "c3", "b2", f"import time; time.sleep(1); {create_table('slow')}"
    )
    twin = Alembic(
        site.app, metadatas=sa.MetaData(), engines=site.engine, tenants=site.tenants
    )

    async def race() -> list[list[TenantResult[Any]]]:
        async def run(alembic: Alembic) -> list[TenantResult[Any]]:
            results = alembic.upgrade_tenants(only=["acme", "globex"], limit=1)
            return [result async for result in results]

        return [*await asyncio.gather(run(site.alembic), run(twin))]

    found = [result for results in caller.run(race()) for result in results]
    assert [result.error for result in found] == [None] * 4
    applied = [name for result in found for name in ids(result.applied)]
    assert sorted(applied) == ["a1", "a1", "b2", "b2", "c3", "c3"]


@on_schemas
def test_a_lock_that_is_never_free_is_an_error(site: Site, caller: Caller) -> None:
    caller.collect(site.alembic, "upgrade_tenants", "a1")
    twin = site.alembic.with_options(tenant="acme")

    write_revision(site.folder, "c3", "b2", "op.execute('SELECT pg_sleep(3)')")

    async def main() -> list[TenantResult[Any]]:
        task = asyncio.create_task(twin.upgrade())
        await asyncio.sleep(0.5)
        results = site.alembic.upgrade_tenants(only=["acme"], timeout=0.3)
        found = [result async for result in results]
        await task
        return found

    [result] = caller.run(main())
    assert isinstance(result.error, LockTimeout)


@on_schemas
def test_where_schemas_are_is_read_by_one_query(site: Site, caller: Caller) -> None:
    caller.collect(site.alembic, "upgrade_tenants")
    statements = queries_of(site.engine)
    found = caller.collect(site.alembic, "upgrade_tenants")
    assert [result.applied for result in found] == [()] * len(site.names)
    assert len([text for text in statements if "UNION ALL" in text]) == 1
    # The other ones ask which schemas there are.
    assert len(statements) == 3


@on_schemas
def test_thousands_of_version_tables_are_not_locked_at_once(
    site: Site, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All sessions of a server share the memory for locks, 6,400 of them by default:
    https://www.postgresql.org/docs/current/runtime-config-locks.html
    """
    caller.collect(site.alembic, "upgrade_tenants")
    monkeypatch.setattr(schema_heads, "CHUNK", 2)
    locked = []

    def count_locks(*args: Any) -> None:
        if "alembic_version" in args[2]:
            locked.extend(
                execute(
                    site.engine.url,
                    "SELECT count(*) FROM pg_locks WHERE relation IN (SELECT oid"
                    " FROM pg_class WHERE relname = 'alembic_version')",
                )
            )

    engine = site.engine
    sync_engine = engine.sync_engine if isinstance(engine, AsyncEngine) else engine
    sa.event.listen(sync_engine, "after_cursor_execute", count_locks)
    assert len(caller.collect(site.alembic, "upgrade_tenants")) == 4
    assert locked == [(2,), (2,)]


@on_schemas
def test_a_schema_that_is_missing_is_named(site: Site, caller: Caller) -> None:
    site.names.append("hooli")
    found = by_name(caller.collect(site.alembic, "upgrade_tenants"))
    error = found.pop("hooli").error
    assert isinstance(error, TargetError)
    assert "create_tenant('hooli')" in str(error)
    assert all(result.error is None for result in found.values())


@on_schemas
def test_the_apps_own_schema_is_no_tenant(site: Site, caller: Caller) -> None:
    """Both histories would write into one version table."""
    site.names.append("public")
    found = by_name(caller.collect(site.alembic, "upgrade_tenants"))
    assert "is the app's own schema" in str(found.pop("public").error)
    assert all(result.error is None for result in found.values())

    with pytest.raises(TargetError, match="is the app's own schema"):
        caller(site.alembic, "create_tenant", "public")

    assert caller.tables(site.engine) == set()


@on_each_database
def test_a_new_tenant_is_created(
    site: Site, caller: Caller, database_factory: DatabaseFactory, backend: Backend
) -> None:
    if site.urls:
        url = database_factory(backend)
        site.urls["hooli"] = url

        if backend.database != "sqlite":
            execute(url, f"DROP DATABASE {url.database}")

    assert ids(caller(site.alembic, "create_tenant", "hooli")) == ["a1", "b2"]
    assert site.version("hooli") == "b2"
    assert caller(site.alembic, "create_tenant", "hooli") == []


@on_schemas
def test_schemas_of_the_app_are_searched_after_the_tenants(
    site: Site, caller: Caller
) -> None:
    site.execute(None, "CREATE SCHEMA types; CREATE DOMAIN types.money AS integer")
    write_revision(
        site.folder, "c3", "b2", "op.execute('CREATE TABLE bills (sum money)')"
    )
    site.app.config["ALEMBIC_TENANTS"] = {"search_path": ["types"]}
    found = caller.collect(site.alembic, "upgrade_tenants")
    assert [result.error for result in found] == [None] * 4


@on_schemas
def test_a_session_is_used_again_as_if_it_was_new(site: Site, caller: Caller) -> None:
    """What a revision sets for one tenant does not reach the next one."""
    code = """
    get = "SELECT current_setting('lock_timeout'), to_regclass('pg_temp.notes')"
    assert [*op.get_bind().exec_driver_sql(get).one()] == ["0", None]
    op.execute("SET lock_timeout = '7s'; CREATE TEMPORARY TABLE notes (id INTEGER)")
    op.execute("SELECT pg_advisory_lock(7)")
    op.execute('PREPARE "My plan" AS SELECT 1')
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7"
    assert op.get_bind().exec_driver_sql(held).scalar() == 1
    """
    write_revision(site.folder, "c3", "b2", code)
    found = caller.collect(site.alembic, "upgrade_tenants", limit=1)
    assert [result.error for result in found] == [None] * 4


@on(POSTGRESQL_BACKENDS)
def test_a_session_that_the_server_has_closed_meanwhile_is_replaced(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """It is kept for the next tenant, but was idle for too long, or the server was
    restarted.
    """

    async def main() -> list[object]:
        errors: list[object] = []

        # The next tenant begins when the loop goes on.
        async for result in site.alembic.upgrade_tenants(limit=1):
            errors.append(result.error)
            end_sessions(site.engine.url)

        return errors

    assert asyncio.run(main()) == [None] * len(site.names)
    # The server is there.
    assert "Trying again" not in caplog.text


@on_each_database
def test_those_at_work_are_rolled_back_when_the_caller_stops(site: Site) -> None:
    write_revision(site.folder, "c3", "b2", "import time; time.sleep(0.3)")

    async def main() -> None:
        async with contextlib.aclosing(site.alembic.upgrade_tenants()) as results:
            async for _ in results:
                break

    asyncio.run(main())
    versions = []

    for name in site.names:
        with contextlib.suppress(Exception):
            versions.append(site.version(name))

    # Each is either done or as before.
    if site.engine.dialect.name != "mysql":
        assert {*versions} <= {"c3"}


@on([by_id("sqlite-sqlite3"), by_id("postgresql-psycopg2")])
def test_a_caller_on_trio(site: Site) -> None:
    async def main() -> list[TenantResult[Any]]:
        results = site.alembic.with_options().upgrade_tenants()
        return [result async for result in results]

    site.alembic = Alembic(
        site.app,
        metadatas=sa.MetaData(),
        engines=site.engine,
        tenants=lambda: site.urls or site.names,
    )
    assert len(by_name(trio.run(main))) == len(site.names)


@on([by_id("postgresql-psycopg2"), by_id("postgresql-asyncpg")])
def test_a_server_that_admits_no_more_connections_is_waited_for(
    site: Site,
    caller: Caller,
    engines: EngineFactory,
    backend: Backend,
    postgres_server: PostgresServer,
) -> None:
    """Fewer tenants are migrated at once, and all of them in the end."""
    names = [f"t{number}" for number in range(20)]
    url = site.engine.url
    role = f"few_{url.database}"[:60]
    postgres_server.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 3 PASSWORD 'x'")
    postgres_server.execute(f'ALTER DATABASE "{url.database}" OWNER TO {role}')
    url = url.set(username=role, password="x")

    for name in names:
        execute(url, f"CREATE SCHEMA {name}")

    engine = engines(backend, url, poolclass=sa.NullPool)
    limited = Alembic(
        site.app, metadatas=sa.MetaData(), engines=engine, tenants=lambda: names
    )

    try:
        found = caller.collect(limited, "upgrade_tenants", limit=10)
        assert [result.error for result in found] == [None] * 20
        assert [ids(result.applied) for result in found] == [["a1", "b2"]] * 20
    finally:
        # They are dropped with the database.
        postgres_server.execute(f'ALTER DATABASE "{url.database}" OWNER TO tester')


PROGRAM = """
import sys
import sqlalchemy as sa
from flask import Flask
from async_alembic import Alembic, PartialRevisionError

root, url, *given = sys.argv[1:]
app = Flask("app", root_path=root)
names = [f"t{number}" for number in range(100)]
tenants = {name: f"{given[0]}{name}" for name in names} if given else lambda: names
engine = sa.create_engine(url)
alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine, tenants=tenants)
print("begins", flush=True)
for result in alembic.sync.upgrade_tenants(limit=4):
    # A process that was killed has left it where DDL cannot be rolled back.
    if result.error and not isinstance(result.error, PartialRevisionError):
        raise result.error
    for script in result.applied:
        print(result.tenant, script.revision, flush=True)
"""


@contextlib.contextmanager
def hundred_tenants(site: Site, backend: Backend) -> Iterator[list[str]]:
    """Make a hundred schemas or databases. Yields the arguments of the program."""
    url = site.engine.url.render_as_string(hide_password=False)
    names = [f"t{number}" for number in range(100)]

    if backend.database == "postgresql":
        site.execute(None, "; ".join(f"CREATE SCHEMA {name}" for name in names))
        yield [url]
        return

    prefix = f"{site.engine.url.database}_"

    for name in names:
        site.execute(None, f"CREATE DATABASE {prefix}{name}")

    try:
        yield [url, url.partition("?")[0] + "_"]
    finally:
        for name in names:
            site.execute(None, f"DROP DATABASE {prefix}{name}")


@on([by_id("postgresql-psycopg2"), by_id("mariadb-pymysql")])
def test_processes_share_the_work_and_may_be_killed(
    site: Site, backend: Backend, tmp_path: Path
) -> None:
    """Nothing is lost or done twice, and each process ends when all are current."""
    with hundred_tenants(site, backend) as args:
        command = [sys.executable, "-c", PROGRAM, str(tmp_path), *args]
        processes = [
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            for _ in range(4)
        ]
        killed = processes[:2]

        for process in killed:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(6)]
            assert lines[-1]
            process.send_signal(signal.SIGKILL)

        outputs = [process.communicate(timeout=120)[0] for process in processes]
        assert [process.returncode for process in processes[2:]] == [0, 0]
        done = [line for text in outputs for line in text.splitlines() if " " in line]
        assert len(done) == len({*done})

        result = subprocess.run(command, capture_output=True, text=True, check=True)
        assert result.stdout.splitlines() == ["begins"]

        left = [number for number in range(100) if not _is_done(site, backend, number)]
        # Two processes with four tenants each were killed.
        assert len(left) <= (8 if backend.database == "mariadb" else 0)


def _is_done(site: Site, backend: Backend, number: int) -> bool:
    try:
        return _version(site, backend, number) == "b2"
    except (sa.exc.ProgrammingError, ValueError):
        # There is no version table, or nothing in it.
        return False


def _version(site: Site, backend: Backend, number: int) -> str:
    if backend.database == "postgresql":
        return site.version(f"t{number}")

    name = f"{site.engine.url.database}_t{number}"
    [[version]] = site.execute(None, f"SELECT version_num FROM {name}.alembic_version")
    return str(version)


FIRST_USE = """
import sys
from flask import Flask
from async_alembic import Alembic

root, name = sys.argv[1:]
app = Flask("app", root_path=root)
tenants = {f"t{n}": f"sqlite+{name}:///{root}/{n}.db" for n in range(20)}
assert "sqlalchemy.ext.asyncio" not in sys.modules
for result in Alembic(app, tenants=tenants).sync.upgrade_tenants(limit=20):
    if result.error:
        raise result.error
"""


@on([by_id("sqlite-aiosqlite")])
def test_the_first_use_of_an_async_engine_may_be_that_of_many_tenants(
    site: Site, backend: Backend, tmp_path: Path
) -> None:
    """Each thread imports what the engines need, at the same moment."""
    command = [sys.executable, "-c", FIRST_USE, str(tmp_path), backend.driver]
    subprocess.run(command, check=True)


@on([by_id("postgresql-asyncpg")])
def test_a_server_that_is_gone_is_waited_for(
    site: Site, backend: Backend, caller: Caller
) -> None:
    site.urls = {"acme": site.engine.url.set(port=1), "globex": site.engine.url}
    started = time.monotonic()
    found = by_name(caller.collect(site.alembic, "upgrade_tenants", timeout=1))
    assert isinstance(found["acme"].error, DatabaseConnectionError)
    assert time.monotonic() - started >= 1
    assert ids(found["globex"].applied) == ["a1", "b2"]


@on_schemas
def test_tenants_that_lose_their_connections_are_tried_again(
    site: Site, caller: Caller
) -> None:
    """As when the server is restarted, or another one takes over."""
    write_revision(site.folder, "c3", "b2", "op.execute('SELECT pg_sleep(1)')")
    sleeping = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND query = 'SELECT pg_sleep(1)' AND state = 'active'"
    )

    def restart() -> None:
        while execute(site.engine.url, sleeping) != [(4,)]:
            time.sleep(0.01)

        end_sessions(site.engine.url)

    thread = threading.Thread(target=restart)
    thread.start()
    found = caller.collect(site.alembic, "upgrade_tenants")
    thread.join()
    assert [result.error for result in found] == [None] * 4
    assert [ids(result.applied) for result in found] == [["a1", "b2", "c3"]] * 4


@on_schemas
def test_the_others_go_on_after_a_tenant_has_lost_its_connection(
    site: Site, caller: Caller
) -> None:
    """The server does answer, however long ago it has admitted a connection."""
    code = """
    if "acme" in op.get_bind().exec_driver_sql("SHOW search_path").scalar():
        op.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    """
    write_revision(site.folder, "c3", "b2", code)
    found = by_name(caller.collect(site.alembic, "upgrade_tenants", limit=1, timeout=0))
    assert isinstance(found.pop("acme").error, MigrationError)
    assert [result.error for result in found.values()] == [None] * 3


@on_schemas
def test_a_revision_that_ends_its_own_session_fails(site: Site, caller: Caller) -> None:
    code = "op.execute('SELECT pg_terminate_backend(pg_backend_pid())')"
    write_revision(site.folder, "c3", "b2", code)
    found = caller.collect(site.alembic, "upgrade_tenants", only=["acme"])
    [error] = [result.error for result in found]
    assert isinstance(error, MigrationError) and error.connection_lost
