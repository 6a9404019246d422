"""The pytest plugin: its options and fixtures.

It imports only pytest and the standard library. Fixtures import the rest.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import functools
import os
import typing as t
from pathlib import Path
from uuid import uuid4

import pytest

if t.TYPE_CHECKING:
    from ..history.targets import StepTarget
    from .apps import AppFactory
    from .checks.migrating import RevisionData
    from .copying.fresh_databases import FreshDatabase
    from .copying.shared_servers import SharedServers
    from .copying.urls import Urls
    from .histories import History

    MakeDatabase: t.TypeAlias = c.Callable[..., FreshDatabase]

_shared_servers_key = pytest.StashKey["SharedServers"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("async-alembic")
    group.addoption(
        "--alembic-reuse",
        action="store_true",
        help="Keep migrated templates for the next run that uses this option.",
    )
    parser.addini(
        "alembic_release",
        "The revision, Git tag or Git commit of the last release.",
        default="",
    )


def pytest_unconfigure(config: pytest.Config) -> None:
    if (servers := config.stash.get(_shared_servers_key, None)) is not None:
        servers.close()


@pytest.fixture(scope="session")
def alembic_app() -> AppFactory:
    """Override this: a function that takes a database URL and returns the app or the
    extension. It gets a dict of URLs if ``alembic_server_url`` returns a dict.
    """
    pytest.fail(
        "The fixture 'alembic_app' is not overridden. Define it in conftest.py and"
        " return a function that takes a database URL and returns your app.",
        pytrace=False,
    )


@pytest.fixture(scope="session")
def alembic_server_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The server on which databases are created. By default, they are SQLite files.

    Override this with the URL of a server, such as ``postgresql+asyncpg://localhost``.
    For an app with several databases, return a dict with a URL for each.
    """
    from .servers import default_url

    return default_url(_default_folder(request.config, tmp_path_factory))


def _default_folder(config: pytest.Config, factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all processes of a run share, or all runs if reused."""
    if config.getoption("alembic_reuse") and hasattr(config, "cache"):
        return config.cache.mkdir("async-alembic")

    base = factory.getbasetemp()
    folder = (base.parent if hasattr(config, "workerinput") else base) / "async-alembic"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def make_fresh_database(
    request: pytest.FixtureRequest, alembic_app: AppFactory, alembic_server_url: Urls
) -> c.Iterator[MakeDatabase]:
    """Make migrated databases: ``make_fresh_database(target="heads")``."""
    servers = _shared_servers(request.config)
    factory = servers.database_factory(alembic_app, alembic_server_url)
    made: list[FreshDatabase] = []

    def make(target: StepTarget = "heads", *, in_memory: bool = True) -> FreshDatabase:
        made.append(factory.make(target, in_memory=in_memory))
        return made[-1]

    yield make

    for database in made:
        database.close()


def _shared_servers(config: pytest.Config) -> SharedServers:
    if _shared_servers_key not in config.stash:
        from .copying.shared_servers import SharedServers

        # All workers of pytest-xdist have the same value.
        run = os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid4().hex)
        keep = bool(config.getoption("alembic_reuse"))
        config.stash[_shared_servers_key] = SharedServers(run, keep=keep)

    return config.stash[_shared_servers_key]


@pytest.fixture
def fresh_database(make_fresh_database: MakeDatabase) -> FreshDatabase:
    """A migrated database that no other test uses."""
    return make_fresh_database()


@pytest.fixture
def migrated_to(make_fresh_database: MakeDatabase) -> MakeDatabase:
    """Make databases at a revision: ``migrated_to("1795338893")``."""
    return make_fresh_database


@pytest.fixture
def fresh_tenants(
    fresh_database: FreshDatabase,
) -> c.Iterator[c.Callable[[int], list[str]]]:
    """Make migrated tenants in, or beside, ``fresh_database``. ``fresh_tenants(3)``
    returns their names. From then on, they are the tenants of its extension.
    """
    from .tenants import FreshTenants

    tenants = FreshTenants(fresh_database)
    yield tenants.make
    tenants.drop()


@pytest.fixture
def no_leaks() -> c.Iterator[None]:
    """Fail if the test leaves a connection or a context open."""
    from . import leaks

    with as_pytest_outcomes(), leaks.no_leaks():
        yield


@contextlib.contextmanager
def as_pytest_outcomes() -> c.Iterator[None]:
    """Turn the results of checks into pytest outcomes, without a traceback."""
    from .checks import CheckFailedError
    from .checks import CheckSkippedError

    try:
        yield
    except CheckFailedError as e:
        raise pytest.fail.Exception(str(e), pytrace=False) from None
    except CheckSkippedError as e:
        raise pytest.skip.Exception(str(e)) from None


@pytest.fixture
def alembic_history(
    make_fresh_database: MakeDatabase, alembic_known_failures: dict[str, str]
) -> History:
    """The migration history, with the checks of the ready-made tests."""
    from .histories import History

    make = functools.partial(make_fresh_database, in_memory=False)
    return History(make, alembic_known_failures)


@pytest.fixture(scope="session")
def alembic_known_failures() -> dict[str, str]:
    """Override this: released revisions that are known to fail, with the reason. The
    ready-made tests upgrade them and do not check them.
    """
    return {}


@pytest.fixture(scope="session")
def alembic_data() -> dict[str, RevisionData]:
    """Override this: rows that revisions must preserve, by revision id."""
    return {}


@pytest.fixture(scope="session")
def alembic_release(request: pytest.FixtureRequest) -> str:
    """The last release: a Git tag, a Git commit or a revision. By default, the ini
    option of the same name.
    """
    release: str = request.config.getini("alembic_release")

    if not release:
        pytest.skip(
            "Set the ini option 'alembic_release' to the Git tag of the last release."
        )

    return release
