"""What a pooler between the app and PostgreSQL does to the lock."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from typing import Literal

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic import LockUnavailableError

from ...backends import Backend
from ...backends import by_id
from ...backends import EngineFactory
from ...backends import on
from ...conftest import require
from ...harness import AnyEngine
from ...harness import Caller
from ...harness import create_table
from ...harness import ids
from ...harness import make_app
from ...harness import write_revision
from ...servers import PgBouncer
from ...servers import PostgresServer

# The pooler keeps them, as poolers do.
pytestmark = pytest.mark.leaves_connections

#: asyncpg prepares every statement, which such a pooler of this age does not know.
on_postgresql = on([by_id("postgresql-psycopg2"), by_id("postgresql-psycopg-async")])
modes = pytest.mark.parametrize("mode", ["session", "transaction"])


@pytest.fixture
def pooler(
    mode: Literal["session", "transaction"], postgres_server: PostgresServer
) -> Iterator[PgBouncer]:
    require(PgBouncer.missing())

    with PgBouncer(postgres_server, mode) as pooler:
        yield pooler


def app_with(
    engine: AnyEngine, root: Path, name: str = "shop", **config: Any
) -> Alembic:
    app = make_app("flask", root, name, **config)
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)
    # The app is held by no one else.
    alembic.app = app  # type: ignore[attr-defined]
    write_revision(
        root / "migrations",
        "a1",
        upgrade=create_table("users"),
        downgrade="op.drop_table('users')",
    )
    return alembic


@pytest.fixture
def direct(backend: Backend, engines: EngineFactory) -> AnyEngine:
    """An engine that connects to the server."""
    return engines(backend)


@pytest.fixture
def connect_through(
    pooler: PgBouncer, direct: AnyEngine, backend: Backend, engines: EngineFactory
) -> Callable[[], AnyEngine]:
    """Makes engines that connect to the same database through the pooler."""
    options: dict[str, Any] = {}

    if backend.driver == "psycopg":
        options["connect_args"] = {"prepare_threshold": None}

    url = pooler.url(direct.url)
    return lambda: engines(backend, url, poolclass=sa.NullPool, **options)


@on_postgresql
@pytest.mark.parametrize("mode", ["session"])
def test_a_pooler_in_session_mode_changes_nothing(
    connect_through: Callable[[], AnyEngine],
    direct: AnyEngine,
    caller: Caller,
    tmp_path: Path,
) -> None:
    alembics = [
        app_with(connect_through(), tmp_path, f"app{number}") for number in range(3)
    ]

    with ThreadPoolExecutor() as executor:
        results = list(executor.map(lambda a: ids(a.sync.upgrade()), alembics))

    assert sorted(results) == [[], [], ["a1"]]
    assert caller.tables(direct) == {"users"}


@on_postgresql
@pytest.mark.parametrize("mode", ["transaction"])
def test_a_pooler_in_transaction_mode_is_noticed(
    connect_through: Callable[[], AnyEngine],
    direct: AnyEngine,
    postgres_server: PostgresServer,
    caller: Caller,
    tmp_path: Path,
) -> None:
    """Its sessions are anybody's: a lock would protect nobody, and stay for long."""
    alembic = app_with(connect_through(), tmp_path)

    with pytest.raises(LockUnavailableError, match="transaction mode.*ALEMBIC_LOCK"):
        caller(alembic, "upgrade")

    locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database ="
    name = f"(SELECT oid FROM pg_database WHERE datname = '{direct.url.database}')"
    assert postgres_server.execute(f"{locks} {name}") == [(0,)]
    assert caller.tables(direct) == set()


@on_postgresql
@pytest.mark.parametrize("mode", ["transaction"])
def test_behind_such_a_pooler_there_are_two_ways_out(
    connect_through: Callable[[], AnyEngine],
    direct: AnyEngine,
    caller: Caller,
    tmp_path: Path,
) -> None:
    """A direct engine for migrations, or no lock."""
    pooled = connect_through()
    without = app_with(pooled, tmp_path, ALEMBIC_LOCK=False)
    assert ids(caller(without, "upgrade")) == ["a1"]
    assert ids(caller(app_with(direct, tmp_path), "downgrade")) == ["a1"]
    assert ids(caller(without, "upgrade")) == ["a1"]
    # At head, a pooler is as good as the server.
    assert caller(app_with(pooled, tmp_path), "upgrade") == []
