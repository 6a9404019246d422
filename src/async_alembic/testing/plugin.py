"""The pytest plugin: its options and fixtures.

It imports nothing that a test run without these fixtures would not have.
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
    from .apps import Factory
    from .checks.walks import RevisionData
    from .copying.databases import FreshDatabase
    from .copying.names import Urls
    from .copying.sessions import Session
    from .histories import History

    Make: t.TypeAlias = c.Callable[..., FreshDatabase]

_session = pytest.StashKey["Session"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("async-alembic")
    group.addoption(
        "--alembic-reuse",
        action="store_true",
        help="Keep migrated templates for the next run with this option.",
    )
    parser.addini(
        "alembic_release",
        "The revision, or the Git tag or commit, of the last release.",
        default="",
    )


def pytest_unconfigure(config: pytest.Config) -> None:
    if (session := config.stash.get(_session, None)) is not None:
        session.close()


@pytest.fixture(scope="session")
def alembic_app() -> Factory:
    """Override this: a function that returns the app, or the extension, for a URL; or
    for a dict of them, if the server's URL is one.
    """
    pytest.fail(
        "Override the fixture 'alembic_app', in conftest.py, with one that returns a"
        " function from the URL of a database to your app.",
        pytrace=False,
    )


@pytest.fixture(scope="session")
def alembic_server_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """Where databases are made. By default, they are SQLite's files.

    Override this with the URL of a server, such as ``postgresql+asyncpg://localhost``;
    or, for an app that has several databases, with a dict that has one for each.
    """
    from .servers import default_url

    return default_url(_folder(request.config, tmp_path_factory))


def _folder(config: pytest.Config, factory: pytest.TempPathFactory) -> Path:
    """One for all processes of a run, or of several."""
    if config.getoption("alembic_reuse") and hasattr(config, "cache"):
        return config.cache.mkdir("async-alembic")

    base = factory.getbasetemp()
    folder = (base.parent if hasattr(config, "workerinput") else base) / "async-alembic"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def make_fresh_database(
    request: pytest.FixtureRequest, alembic_app: Factory, alembic_server_url: Urls
) -> c.Iterator[Make]:
    """Make migrated databases: ``make_fresh_database(target="heads")``."""
    databases = _session_of(request.config).databases(alembic_app, alembic_server_url)
    made: list[FreshDatabase] = []

    def make(target: StepTarget = "heads", *, in_memory: bool = True) -> FreshDatabase:
        made.append(databases.make(target, in_memory=in_memory))
        return made[-1]

    yield make

    for database in made:
        database.close()


def _session_of(config: pytest.Config) -> Session:
    if _session not in config.stash:
        from .copying.sessions import Session

        # The same for all workers of pytest-xdist.
        run = os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid4().hex)
        keep = bool(config.getoption("alembic_reuse"))
        config.stash[_session] = Session(run, keep=keep)

    return config.stash[_session]


@pytest.fixture
def fresh_database(make_fresh_database: Make) -> FreshDatabase:
    """A migrated database that no other test has."""
    return make_fresh_database()


@pytest.fixture
def migrated_to(make_fresh_database: Make) -> Make:
    """Make databases that are at a revision: ``migrated_to("1795338893")``."""
    return make_fresh_database


@pytest.fixture
def no_leaks() -> c.Iterator[None]:
    """Fail if connections were not given back, or contexts not left."""
    from . import leaks

    with showing_failures(), leaks.no_leaks():
        yield


@contextlib.contextmanager
def showing_failures() -> c.Iterator[None]:
    """Show what a check has found, and not where in this package."""
    from .checks import CheckFailedError
    from .checks import Impossible

    try:
        yield
    except CheckFailedError as e:
        raise pytest.fail.Exception(str(e), pytrace=False) from None
    except Impossible as e:
        raise pytest.skip.Exception(str(e)) from None


@pytest.fixture
def alembic_history(make_fresh_database: Make) -> History:
    """What the ready-made tests check."""
    from .histories import History

    return History(functools.partial(make_fresh_database, in_memory=False))


@pytest.fixture(scope="session")
def alembic_data() -> dict[str, RevisionData]:
    """Override this: rows that revisions must keep, by their ids."""
    return {}


@pytest.fixture(scope="session")
def alembic_release(request: pytest.FixtureRequest) -> str:
    """What was released last: a Git tag or commit, or a revision. By default, the ini
    option of that name.
    """
    release: str = request.config.getini("alembic_release")

    if not release:
        pytest.skip(
            "Set the ini option 'alembic_release' to the Git tag of the last release."
        )

    return release
