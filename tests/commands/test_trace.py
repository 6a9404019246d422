"""What a server does for an upgrade, observed on a scratch copy."""

from __future__ import annotations

import asyncio
import sys
from types import ModuleType

import pytest

from async_alembic import PlanError
from async_alembic import PlannedStatement
from async_alembic.plans import TableLock

from ..backends import Backend
from ..backends import BACKENDS
from ..backends import by_id
from ..backends import MARIADB_BACKENDS
from ..backends import on
from ..backends import POSTGRESQL_BACKENDS
from ..backends import SHARED_BACKENDS
from ..harness import awaited_only
from ..harness import create_table
from ..harness import ONE_OF_EACH_KIND
from ..servers import PostgresServer
from ..servers.base import USER
from .planning import Site
from .planning import SiteFactory

USERS = create_table(
    "users",
    "sa.Column('id', sa.Integer, primary_key=True)",
    "sa.Column('name', sa.String(50))",
    "sa.Column('age', sa.Integer)",
)
POSTS = create_table(
    "posts",
    "sa.Column('id', sa.Integer, primary_key=True)",
    "sa.Column('user_id', sa.Integer)",
)
TYPE = "op.alter_column('users', 'age', existing_type=sa.Integer(), type_=sa.{})"
CONCURRENTLY = """
with op.get_context().autocommit_block():
    op.create_index('ix', 'users', ['age'], postgresql_concurrently=True)
"""


def trace(site: Site, upgrade: str) -> list[PlannedStatement]:
    """The statements of one revision, on a database that has two tables."""
    site.write("a1", None, f"{USERS}\n{POSTS}")
    site.write("b2", "a1", upgrade)
    site("upgrade", "a1")
    before = site.databases
    (revision,) = site.plan(trace=True).revisions
    assert site.databases == before
    return [*revision.statements]


@on(SHARED_BACKENDS)
def test_a_trace_changes_nothing_and_leaves_nothing(
    backend: Backend, site_for: SiteFactory
) -> None:
    site = site_for(backend)
    (added,) = trace(site, "op.add_column('users', sa.Column('x', sa.Integer))")
    assert added.action == "adds the column 'users.x'"
    assert added.observed is not None
    assert "x" not in site.columns("users")
    site("upgrade")
    assert "x" in site.columns("users")
    assert site.plan(trace=True).revisions == ()


@on(ONE_OF_EACH_KIND)
def test_a_trace_knows_what_a_revision_does_with_rows(
    backend: Backend, site_for: SiteFactory
) -> None:
    """Without one, the rows are not there to be read."""
    site = site_for(backend)
    site.write(
        "a1", None, f"{USERS}\nop.execute(\"INSERT INTO users VALUES (1, 'x', 2)\")"
    )
    site.write(
        "b2",
        "a1",
        """
        for (id,) in op.get_bind().execute(sa.text('SELECT id FROM users')).all():
            op.execute(f'DELETE FROM users WHERE id = {id}')
        """,
    )
    site("upgrade", "a1")
    (revision,) = site.plan().revisions
    assert revision.unknown is not None
    (revision,) = site.plan(trace=True).revisions
    assert revision.unknown is None
    assert "DELETE FROM users WHERE id = 1" in [s.sql for s in revision.statements]
    assert site.count("users") == 1


@on(POSTGRESQL_BACKENDS)
@pytest.mark.parametrize(
    ("upgrade", "locks", "rewritten", "scanned"),
    [
        (
            "op.add_column('users', sa.Column('x', sa.Integer, server_default='1'))",
            [("users", "ACCESS EXCLUSIVE")],
            [],
            [],
        ),
        (
            TYPE.format("BigInteger"),
            [("users", "ACCESS EXCLUSIVE")],
            ["users", "users_pkey"],
            ["users"],
        ),
        (
            "op.create_index('ix', 'users', ['age'])",
            [("users", "SHARE")],
            [],
            ["users"],
        ),
        (
            "op.create_foreign_key('fk', 'posts', 'users', ['user_id'], ['id'])",
            [("posts", "SHARE ROW EXCLUSIVE"), ("users", "SHARE ROW EXCLUSIVE")],
            [],
            ["posts"],
        ),
        (CONCURRENTLY, [("users", "SHARE UPDATE EXCLUSIVE")], [], ["users"]),
        (create_table("new"), [], [], []),
    ],
    ids=["add", "type", "index", "foreign-key", "concurrently", "new-table"],
)
def test_locks_rewrites_and_scans_are_observed(
    backend: Backend,
    site_for: SiteFactory,
    upgrade: str,
    locks: list[tuple[str, str]],
    rewritten: list[str],
    scanned: list[str],
) -> None:
    site = site_for(backend)
    (statement,) = trace(site, upgrade)
    observed = statement.observed
    assert observed is not None
    assert [*observed.locks] == [TableLock(*lock) for lock in locks]
    assert [*observed.rewritten] == rewritten
    assert [*observed.scanned] == scanned


@on(POSTGRESQL_BACKENDS)
def test_a_lock_that_is_held_already_is_not_new(
    backend: Backend, site_for: SiteFactory
) -> None:
    upgrade = "op.drop_column('users', 'age')\nop.create_index('i', 'users', ['name'])"
    first, second = trace(site_for(backend), upgrade)
    assert first.observed is not None
    assert second.observed is not None
    assert first.observed.locks == (TableLock("users", "ACCESS EXCLUSIVE"),)
    assert second.observed.locks == ()


@on(POSTGRESQL_BACKENDS)
def test_what_the_server_says_is_in_the_trace(
    backend: Backend, site_for: SiteFactory
) -> None:
    upgrade = "op.execute(\"DO $$ BEGIN RAISE NOTICE 'hello'; END $$\")"
    (statement,) = trace(site_for(backend), upgrade)
    assert statement.observed is not None
    assert statement.observed.notices == ("hello",)


@on(MARIADB_BACKENDS)
@pytest.mark.parametrize(
    ("upgrade", "algorithm"),
    [
        ("op.add_column('users', sa.Column('x', sa.Integer))", "INSTANT"),
        ("op.create_index('ix', 'users', ['age'])", "NOCOPY"),
        (TYPE.format("BigInteger"), "COPY"),
        ("op.execute('UPDATE users SET age = 1')", None),
        ("op.execute('/* a note */ ALTER TABLE users ADD x INT;')", "INSTANT"),
    ],
)
def test_the_server_says_which_algorithm_it_takes(
    backend: Backend, site_for: SiteFactory, upgrade: str, algorithm: str | None
) -> None:
    (statement,) = trace(site_for(backend), upgrade)
    assert statement.observed is not None
    assert statement.observed.algorithm == algorithm
    assert "ALGORITHM" not in statement.sql


@on(ONE_OF_EACH_KIND[2:])
def test_what_is_written_anew_is_a_finding(
    backend: Backend, site_for: SiteFactory
) -> None:
    site = site_for(backend)
    trace(site, TYPE.format("BigInteger"))
    (revision,) = site.plan(trace=True).revisions
    lines = [f.line for f in revision.findings if f.rule == "rewrites-table"]
    assert lines == [10]


@on(ONE_OF_EACH_KIND)
def test_a_revision_that_fails_in_a_trace_leaves_nothing(
    backend: Backend, site_for: SiteFactory
) -> None:
    site = site_for(backend)

    with pytest.raises(PlanError, match="revision b2 fails") as info:
        trace(site, "op.execute('DROP TABLE nowhere')")

    assert info.value.database == "default"
    assert not [name for name in site.databases if "scratch" in name]
    assert site.tables == {"users", "posts"}


@awaited_only
@on(ONE_OF_EACH_KIND[2:])
def test_a_cancelled_trace_leaves_nothing(
    backend: Backend, site_for: SiteFactory
) -> None:
    site = site_for(backend)
    sleep = {"postgresql": "pg_sleep", "mariadb": "SLEEP"}[backend.database]
    site.write("a1", None, f"op.execute('SELECT {sleep}(100)')")

    async def cancel() -> None:
        task = asyncio.create_task(site.alembic.plan(trace=True))
        await asyncio.to_thread(site.wait_for_copy)
        await asyncio.sleep(0.2)
        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task

    site.caller.run(cancel())
    assert not [name for name in site.databases if "scratch" in name]


@on([b for b in ONE_OF_EACH_KIND if b.database == "postgresql"])
def test_what_is_done_to_the_server_is_rolled_back(
    backend: Backend, site_for: SiteFactory
) -> None:
    """A setting of the real database is no part of the scratch copy."""
    site = site_for(backend)
    setting = f'ALTER DATABASE "{site.engine.url.database}" SET work_mem = 77000'
    site.write("a1", None, f"op.execute('{setting}')")
    statements = site.plan(trace=True).revisions[0].statements
    assert [s.sql for s in statements] == [setting]
    found = "SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = (SELECT oid"
    found += " FROM pg_database WHERE datname = current_database())"
    assert site.caller.query(site.engine, found) == []


@pytest.mark.parametrize("is_raw", [False, True])
@pytest.mark.parametrize("trace", [False, True])
@on(ONE_OF_EACH_KIND[::2])
def test_a_revision_that_uses_the_engine_of_the_app_does_not_reach_it(
    backend: Backend, site_for: SiteFactory, trace: bool, is_raw: bool
) -> None:
    """As a session of the models does. In an upgrade it would work."""
    site = site_for(backend)
    sys.modules["engine_of_app"] = module = ModuleType("engine_of_app")
    module.engine = site.engine  # type: ignore[attr-defined]
    site.write("a1", None, USERS)
    site("upgrade")
    site.write(
        "b2",
        "a1",
        """
        from engine_of_app import engine
        connection = engine.raw_connection()
        connection.cursor().execute('DROP TABLE users')
        connection.commit()
        """
        if is_raw
        else """
        from engine_of_app import engine
        with engine.begin() as connection:
            connection.exec_driver_sql('DROP TABLE users')
        """,
    )

    if trace:
        with pytest.raises(PlanError, match="a revision uses the app's engine"):
            site.plan(trace=True)
    else:
        (revision,) = site.plan().revisions
        assert revision.unknown == "Line 11 needs a database"

    assert site.tables == {"users"}


@on([b for b in BACKENDS if b.in_memory])
def test_a_database_in_memory_has_no_trace(
    backend: Backend, site_for: SiteFactory
) -> None:
    site = site_for(backend)
    site.write("a1", None, USERS)

    with pytest.raises(PlanError, match="in memory"):
        site.plan(trace=True)


@on([by_id("mariadb-pymysql"), by_id("sqlite-sqlite3")])
def test_a_revision_may_not_name_another_database(
    backend: Backend, site_for: SiteFactory
) -> None:
    """It would be a real one."""
    site = site_for(backend)

    with pytest.raises(PlanError, match="'other'"):
        trace(site, "op.drop_table('users', schema='other')")


@on([by_id("postgresql-psycopg2")])
def test_a_missing_privilege_is_one_sentence(
    backend: Backend, site_for: SiteFactory, postgres_server: PostgresServer
) -> None:
    site = site_for(backend)
    site.write("a1", None, USERS)
    postgres_server.execute(f"ALTER ROLE {USER} NOCREATEDB")

    try:
        with pytest.raises(PlanError, match=r"permission denied.*CREATEDB\.$"):
            site.plan(trace=True)
    finally:
        postgres_server.execute(f"ALTER ROLE {USER} CREATEDB")


@on([by_id("postgresql-psycopg2"), by_id("mariadb-pymysql")])
def test_an_engine_that_always_connects_to_its_own_database_is_refused(
    backend: Backend, site_for: SiteFactory
) -> None:
    """A trace on it would be an upgrade."""
    site = site_for(backend)
    site.write("a1", None, USERS)
    other = site.with_creator()

    with pytest.raises(PlanError, match="a connection to the scratch copy would use"):
        other.plan(trace=True)

    assert site.tables == set()


@on(ONE_OF_EACH_KIND)
def test_a_revision_in_a_trace_inspects_the_scratch_copy(
    backend: Backend, site_for: SiteFactory
) -> None:
    """And not the database, which has no table of an earlier revision."""
    site = site_for(backend)
    site.write("a1", None, USERS)
    site.write(
        "b2",
        "a1",
        f"""
        if sa.inspect(op.get_bind()).has_table('users') and not as_sql:
            {POSTS}
        """.replace("as_sql", "op.get_context().as_sql"),
    )
    revisions = site.plan(trace=True).revisions
    assert any("posts" in found.sql for found in revisions[1].statements)
