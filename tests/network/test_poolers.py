"""PgBouncer between the app and PostgreSQL, in both of its modes."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from typing import Literal

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic import MigrationError

from ..backends import Backend
from ..backends import by_id
from ..backends import DatabaseFactory
from ..backends import EngineFactory
from ..backends import on
from ..conftest import require
from ..harness import Caller
from ..harness import create_table
from ..harness import ids
from ..harness import make_app
from ..harness import write_revision
from ..racing import RaceZygote
from ..racing import write_history
from ..servers import PgBouncer
from ..servers import PostgresServer
from .sites import assert_once
from .sites import ROUNDS
from .sites import url_of

on_postgresql = on(
    [
        by_id("postgresql-psycopg2"),
        by_id("postgresql-asyncpg"),
        by_id("postgresql-psycopg-async"),
    ]
)
#: What its documentation tells users of a pooler to set. Others have their defaults.
CONNECT_ARGS = {"psycopg": {"prepare_threshold": None}}
#: DDL before and after what is not in its transaction.
BLOCK = """
op.create_table("notes", sa.Column("id", sa.Integer, primary_key=True))

with op.get_context().autocommit_block():
    op.execute("CREATE INDEX CONCURRENTLY ix_users_name ON users (name)")

op.add_column("notes", sa.Column("text", sa.String(50)))
"""
HISTORIES: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "one_transaction": ({}, {}),
    "one_each": ({}, {"transaction_per_migration": True}),
    "autocommit_block": ({"b3": BLOCK}, {}),
}
ADVISORY_LOCKS = (
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory'"
    " AND database = (SELECT oid FROM pg_database WHERE datname = %s)"
)


@on_postgresql
def test_as_many_workers_as_a_pooler_has_sessions_all_succeed(
    backend: Backend,
    postgres_server: PostgresServer,
    database_factory: DatabaseFactory,
    zygote: RaceZygote,
    tmp_path: Path,
) -> None:
    """In session mode each of them has one. If an upgrade needed another, all would
    wait for each other.
    """
    require(PgBouncer.missing())
    write_history(tmp_path)
    url = database_factory(backend)

    with PgBouncer(postgres_server, "session", pool_size=10) as pooler:
        through = url_of(backend, pooler.url(url))
        assert_once(zygote.race(tmp_path, through, 10, timeout=30), url)


@on_postgresql
@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("rounds", [1, pytest.param(ROUNDS, marks=pytest.mark.full)])
def test_ten_workers_share_sessions_with_each_transaction(
    rounds: int,
    history: str,
    backend: Backend,
    postgres_server: PostgresServer,
    database_factory: DatabaseFactory,
    zygote: RaceZygote,
    tmp_path: Path,
) -> None:
    """In transaction mode a lock of the session would be anybody's, and stay."""
    require(PgBouncer.missing())
    bodies, context = HISTORIES[history]
    connect_args = CONNECT_ARGS.get(backend.driver, {})
    write_history(tmp_path, **bodies)

    with PgBouncer(postgres_server, "transaction") as pooler:
        for _ in range(rounds):
            url = database_factory(backend)
            race = zygote.race(
                tmp_path,
                url_of(backend, pooler.url(url)),
                10,
                connect_args=connect_args,
                ALEMBIC_CONTEXT=context,
            )
            assert_once(race, url)
            assert postgres_server.execute(ADVISORY_LOCKS, url.database) == []


@on_postgresql
@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_settings_count_for_every_question_and_reach_no_other_client(
    mode: Literal["session", "transaction"],
    backend: Backend,
    postgres_server: PostgresServer,
    database_factory: DatabaseFactory,
    engines: EngineFactory,
    caller: Caller,
    tmp_path: Path,
) -> None:
    require(PgBouncer.missing())
    url = database_factory(backend)
    arguments: Any = CONNECT_ARGS.get(backend.driver, {})

    if backend.driver == "asyncpg":
        arguments = {"statement_cache_size": 0}

    with PgBouncer(postgres_server, mode, pool_size=1) as pooler:
        through = url_of(backend, pooler.url(url))
        engine = engines(
            backend, through, poolclass=sa.NullPool, connect_args=arguments
        )
        caller.execute(engine, "CREATE SCHEMA tenant")
        app = make_app("flask", tmp_path)
        alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)
        write_revision(tmp_path / "migrations", "a1", None, create_table("log"))
        caller(alembic, "upgrade")
        app.config["ALEMBIC_SESSION"] = {"search_path": "tenant"}
        assert caller(alembic, "current") == ()
        assert caller(alembic, "status")["default"].state == "empty"
        assert ids(caller(alembic, "upgrade")) == ["a1"]
        assert ids(caller(alembic, "current")) == ["a1"]
        tables = "SELECT schemaname FROM pg_tables WHERE tablename = 'log' ORDER BY 1"
        assert caller.query(engine, tables) == [("public",), ("tenant",)]

        # The next client of the pooler's only session.
        if mode == "transaction":
            assert caller.query(engine, "SHOW search_path") == [('"$user", public',)]


@on_postgresql
@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_what_would_work_on_another_schema_is_refused(
    mode: Literal["session", "transaction"],
    backend: Backend,
    postgres_server: PostgresServer,
    database_factory: DatabaseFactory,
    engines: EngineFactory,
    caller: Caller,
    tmp_path: Path,
) -> None:
    """Outside of a transaction, the search path may be that of the pooler's session. A
    client cannot tell the modes apart, and is not advised to use the other one.
    """
    require(PgBouncer.missing())
    url = database_factory(backend)

    with PgBouncer(postgres_server, mode) as pooler:
        through = url_of(backend, pooler.url(url))
        engine = engines(backend, through, poolclass=sa.NullPool)
        caller.execute(
            engine,
            "CREATE SCHEMA tenant",
            "CREATE TABLE tenant.log (id INTEGER)",
            "CREATE TABLE log AS SELECT 1 AS id",
        )
        app = make_app(
            "flask", tmp_path, ALEMBIC_SESSION={"search_path": "tenant, public"}
        )
        alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)
        delete = """
        op.execute("CREATE TABLE begun (id INTEGER)")
        with op.get_context().autocommit_block():
            op.execute("DELETE FROM log")
        """
        write_revision(tmp_path / "migrations", "a1", None, delete)

        with pytest.raises(
            MigrationError, match="'search_path'.*past the pooler"
        ) as caught:
            caller(alembic, "upgrade")

        assert caught.value.outcome is not None
        assert not caught.value.outcome.has_committed
        assert caller.query(engine, "SELECT id FROM public.log") == [(1,)]
