from __future__ import annotations

import gc
import importlib
import os
import pkgutil
import time
from collections.abc import AsyncIterator
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import URL

import async_alembic

from .backends import Backend
from .backends import DatabaseFactory
from .backends import EngineFactory
from .harness import caller as caller
from .harness import engines as engines
from .harness import runner as runner
from .lanes import cases
from .lanes import LANES
from .machine import heed_interrupts
from .machine import keep_files_in_memory
from .machine import load_no_certificates
from .servers import MariaDBServer
from .servers import PostgresServer
from .servers import Server
from .tracing import trace_cheaply
from .twins import enforcing as enforcing
from .twins import twin as twin

#: The tests of all lanes.
COLLECTED = pytest.StashKey[list[pytest.Item]]()


def pytest_configure(config: pytest.Config) -> None:
    trace_cheaply()
    # The workers inherit it from the process that starts them.
    if not hasattr(config, "workerinput"):
        keep_files_in_memory(config.getoption("numprocesses", None) or 1)

    load_no_certificates()
    heed_interrupts()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--lane",
        choices=["all", *LANES],
        default="all",
        help="which of the tests to run, see tests/lanes.py",
    )


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    config.stash[COLLECTED] = [*items]

    lane = config.getoption("lane")

    if lane != "all":
        chosen = LANES[lane](items)
        config.hook.pytest_deselected(items=[*{*items} - {*chosen}])
        items[:] = chosen

    # A case reaches much the same code in each of its ways, and takes half as long
    # again while coverage is measured.
    for item in {*items} - {*cases(items)}:
        item.add_marker("no_cover")

    if config.pluginmanager.hasplugin("_cov"):
        import_all_modules()


def import_all_modules() -> None:
    """Import all of the package while coverage is measured. The first test that needs a
    module may be one that is not.
    """
    for module in pkgutil.walk_packages(async_alembic.__path__, "async_alembic."):
        importlib.import_module(module.name)


def require(missing: str | None) -> None:
    """Skip what can't run here. On CI everything must."""
    if missing is not None:
        if os.environ.get("CI"):
            pytest.fail(missing)

        pytest.skip(missing)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    require(PostgresServer.missing())

    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDBServer]:
    require(MariaDBServer.missing())

    with MariaDBServer() as server:
        yield server


def server_of(backend: Backend, request: pytest.FixtureRequest) -> Server | None:
    """The server of a backend, which is started by the first test that needs it."""
    match backend.database:
        case "postgresql":
            server: Server = request.getfixturevalue("postgres_server")
        case "mariadb":
            server = request.getfixturevalue("mariadb_server")
        case "sqlite":
            return None

    return server


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> Backend:
    """The backend that a test is parametrized with, see :mod:`tests.backends`."""
    backend: Backend = request.param
    require(backend.missing)
    server_of(backend, request)
    return backend


@pytest.fixture
def database_factory(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[DatabaseFactory]:
    """Make new, empty databases: ``database_factory(backend) -> URL``.

    They are dropped at the test's end. The test fails if a connection is left in one,
    unless it is marked with ``leaves_connections``.
    """
    made: list[tuple[Server, str]] = []
    files: list[Path] = []

    def make(backend: Backend) -> URL:
        require(backend.missing)
        server = server_of(backend, request)
        name = f"test_{uuid4().hex}"

        if server is not None:
            server.create_database(name)
            made.append((server, name))
            return server.url(backend.drivername, name)

        if backend.in_memory:
            return URL.create(backend.drivername, database=":memory:")

        files.append(tmp_path / f"{name}.db")
        return URL.create(backend.drivername, database=str(files[-1]))

    yield make

    left = []

    for server, name in made:
        # The test may have stopped it.
        server.start()

        if request.node.get_closest_marker("leaves_connections") is None:
            left += connections_left(server, name)

        server.drop_database(name)

    for file in files:
        for path in tmp_path.glob(f"{file.name}*"):
            path.unlink()

    if left:
        pytest.fail("Connections are left:\n" + "\n".join(left))


def connections_left(server: Server, database: str) -> list[str]:
    # Servers notice with a delay that a client has gone.
    for grace in 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1.0, 2.0:
        if not (connections := server.connections(database)):
            break

        if grace > 0.01:
            # An application's engine, with its pool, can be garbage in a cycle.
            gc.collect()

        time.sleep(grace)

    return connections


@pytest.fixture
async def engine_for(
    database_factory: DatabaseFactory,
) -> AsyncIterator[EngineFactory]:
    """Make engines: ``engine_for(backend, url=None, **options)``.

    They are disposed at the test's end, on the test's loop. The test fails if it has
    not given back all their connections.
    """
    engines = EngineFactory(database_factory)
    yield engines

    if leaking := await engines.dispose():
        pytest.fail("Connections were not given back:\n" + "\n".join(leaking))
