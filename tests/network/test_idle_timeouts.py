"""Whoever ends or forgets what is idle must not end a migration, and nobody who waits
for one.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from async_alembic import Alembic

from ..backends import Backend
from ..backends import DatabaseFactory
from ..backends import EngineFactory
from ..backends import MARIADB_BACKENDS
from ..backends import on
from ..backends import POSTGRESQL_BACKENDS
from ..conftest import require
from ..conftest import server_of
from ..direct import execute
from ..harness import AnyEngine
from ..harness import create_table
from ..harness import ids
from ..harness import make_app
from ..harness import write_revision
from ..racing import RaceZygote
from ..racing import write_history
from ..servers import MariaDBServer
from ..servers import Server
from ..servers.between import Between
from ..servers.between import PROXIES
from ..servers.between import TIMEOUTS
from .sites import assert_once
from .sites import seconds
from .sites import url_of

ON_POSTGRESQL = [*product((TIMEOUTS | PROXIES).items(), POSTGRESQL_BACKENDS)]
ON_MARIADB = [*product(PROXIES.items(), MARIADB_BACKENDS)]


def on_cases(*without: str) -> pytest.MarkDecorator:
    """Run a test with each of what stands in between, on each driver that it is for."""
    cases = [
        pytest.param(between, backend, id=f"{name}-{backend}")
        for (name, between), backend in ON_POSTGRESQL + ON_MARIADB
        if name not in without
    ]
    return pytest.mark.parametrize(("between", "backend"), cases, indirect=True)


@pytest.fixture
def between(request: pytest.FixtureRequest) -> Between:
    between: Between = request.param
    require(between.missing())
    return between


@pytest.fixture
def server(backend: Backend, request: pytest.FixtureRequest) -> Server:
    server = server_of(backend, request)
    assert server is not None
    return server


def assert_four_end_well(
    zygote: RaceZygote, backend: Backend, root: Path, url: sa.URL, through: sa.URL
) -> None:
    """One migrates for 9 s, and three wait."""
    write_history(root, b3=seconds(backend, 9))
    # What a pool keeps is idle, and asyncpg hangs if it closes what was forgotten.
    race = zygote.race(root, url_of(backend, through), 4, pooled=False)
    assert_once(race, url)
    assert race.seconds < 30


@pytest.mark.full
@on_cases()
def test_a_long_migration_and_all_who_wait_for_it_end_well(
    between: Between,
    backend: Backend,
    server: Server,
    database_factory: DatabaseFactory,
    zygote: RaceZygote,
    tmp_path: Path,
) -> None:
    url = database_factory(backend)

    with between(server, url) as through:
        assert_four_end_well(zygote, backend, tmp_path, url, through)


class ImpatientServer(MariaDBServer):
    """One whose setting for all sessions ends those that are idle."""

    _settings = MariaDBServer._settings | {"wait-timeout": 3}


@pytest.fixture(scope="module")
def impatient_server() -> Iterator[ImpatientServer]:
    require(ImpatientServer.missing())

    with ImpatientServer() as server:
        yield server


@pytest.mark.full
@on(MARIADB_BACKENDS)
def test_a_server_that_is_impatient_with_all_sessions(
    backend: Backend,
    impatient_server: ImpatientServer,
    zygote: RaceZygote,
    tmp_path: Path,
) -> None:
    name = f"test_{uuid4().hex}"
    impatient_server.create_database(name)
    url = impatient_server.url(backend.drivername, name)
    assert_four_end_well(zygote, backend, tmp_path, url, url)


def two_databases(
    first: AnyEngine, second: AnyEngine, root: Path, code: str
) -> Alembic:
    """An app with two databases. The transaction of the first is open while the second
    is migrated.

    :param code: What a revision does in the second one.
    """
    app = make_app("flask", root)
    alembic = Alembic(
        app,
        metadatas={"default": sa.MetaData(), "other": sa.MetaData()},
        engines={"default": first, "other": second},
    )
    # The app is held by no one else.
    alembic.app = app  # type: ignore[attr-defined]
    write_revision(
        root / "migrations",
        "a1",
        upgrade=f"{create_table('log')}\nif engine_name == 'other':\n"
        + "\n".join(f"    {line}" for line in code.splitlines()),
        args="engine_name",
    )
    return alembic


@pytest.mark.full
@on_cases("idle_session_timeout")
def test_a_database_stays_ready_while_another_is_migrated(
    between: Between,
    backend: Backend,
    server: Server,
    engines: EngineFactory,
    database_factory: DatabaseFactory,
    tmp_path: Path,
) -> None:
    """Its transaction is open, and idle, as all are committed together at the end."""
    urls = [database_factory(backend) for _ in range(2)]

    with ThreadPoolExecutor(1) as executor, ExitStack() as stack:
        first, second = (
            engines(
                backend,
                stack.enter_context(between(server, url)),
                poolclass=sa.NullPool,
            )
            for url in urls
        )
        alembic = two_databases(first, second, tmp_path, seconds(backend, 8))
        upgrade = executor.submit(alembic.sync.upgrade)
        wait([upgrade], 30)
        # Whatever hangs ends with what stands in between.
        in_time = upgrade.done()

    assert ids(upgrade.result()) == ["a1"]
    assert in_time

    for url in urls:
        assert execute(url, "SELECT version_num FROM alembic_version") == [("a1",)]
        assert execute(url, "SELECT id FROM log") == []
