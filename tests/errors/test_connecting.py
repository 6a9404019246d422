"""Databases that cannot be reached. No password is shown."""

from __future__ import annotations

import asyncio
import re
import traceback
from pathlib import Path
from typing import Any
from typing import cast

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic import AsyncAlembicError
from async_alembic import ConfigurationError
from async_alembic import DatabaseConnectionError
from async_alembic import DatabaseError

from ..backends import Backend
from ..backends import by_id
from ..backends import DatabaseFactory
from ..backends import EngineFactory
from ..backends import on
from ..backends import SHARED_BACKENDS
from ..harness import make_app
from ..servers import free_port
from ..servers import PASSWORD
from .project import in_every_way
from .project import ProjectFactory
from .project import WAYS

SERVER_BACKENDS = [b for b in SHARED_BACKENDS if b.database != "sqlite"]


def on_every_server(test: Any) -> Any:
    """Run a test in each way, with each driver of a server; on Flask."""
    test = pytest.mark.parametrize("framework", ["flask"])(test)
    return on(SERVER_BACKENDS)(pytest.mark.parametrize("way", WAYS)(test))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "url",
    [
        "no url at all",
        "postgresql:/tester:s3cret@host/name",
        "postgresql://tester:s3cret@host:port/name",
        "postgresql://tester@host:s3cret/name",
        "postgresql+nothing://tester:s3cret@host/name",
        "nothing://tester:s3cret@host/name",
        "oracle+cx_oracle://tester:s3cret@host/name",
    ],
)
def test_a_wrong_url_is_named_and_its_password_is_not(
    way: str, url: Any, project_for: ProjectFactory
) -> None:
    """The driver of the last but one is not installed."""
    config = {"ALEMBIC": {"sqlalchemy.url": url}}
    backend = by_id("sqlite-sqlite3")
    project = project_for(way, "flask", backend, engines=None, config=config)
    error = project.fail(ConfigurationError, "upgrade")
    assert "app.config['ALEMBIC']['sqlalchemy.url']" in str(error)
    text = "".join(traceback.format_exception(error))

    assert "s3cret" not in text


@on_every_server
def test_a_refused_connection_names_the_database(
    backend: Backend, engines: EngineFactory, make: ProjectFactory
) -> None:
    url = sa.URL.create(
        backend.drivername, "tester", PASSWORD, "127.0.0.1", free_port(), "shop"
    )
    project = make(engines=engines(backend, url))
    project.engine = None
    error = project.fail(DatabaseConnectionError, "upgrade")
    check_connection_error(error, url)


@on_every_server
def test_a_wrong_password_is_never_shown(
    backend: Backend,
    engines: EngineFactory,
    database_factory: DatabaseFactory,
    make: ProjectFactory,
) -> None:
    """Neither in the message nor in what a log shows of the error and its causes."""
    right = database_factory(backend)
    url = right.set(password="s3cr%t:wr@ng/word")
    project = make(engines=engines(backend, url))
    project.engine = None
    error = project.fail(DatabaseConnectionError, "upgrade")
    check_connection_error(error, url)
    assert not re.search(r"role .* does not exist", str(error))


@on_every_server
def test_a_missing_database_is_named(
    backend: Backend,
    engines: EngineFactory,
    database_factory: DatabaseFactory,
    make: ProjectFactory,
) -> None:
    url = database_factory(backend).set(database="test_gone")
    project = make(engines=engines(backend, url))
    project.engine = None
    error = project.fail(DatabaseConnectionError, "upgrade")
    check_connection_error(error, url)
    assert "test_gone" in str(error)


@in_every_way
def test_a_file_that_cannot_be_opened_is_named(
    backend: Backend,
    tmp_path: Path,
    engines: EngineFactory,
    make: ProjectFactory,
) -> None:
    url = sa.URL.create(backend.drivername, database=str(tmp_path / "gone" / "shop.db"))
    project = make(engines=engines(backend, url))
    project.engine = None
    error = project.fail(DatabaseConnectionError, "upgrade")
    check_connection_error(error, url)
    # The driver's thread tells the loop that it is gone, which must be there still.
    project.look.run(asyncio.sleep(0.05))


def check_connection_error(error: AsyncAlembicError, url: sa.URL) -> None:
    error = cast("DatabaseConnectionError", error)
    assert f"database 'default' at {url.render_as_string()}: " in str(error)
    assert "Check the URL, the credentials" in str(error)
    assert error.database == "default"
    assert error.url == url.render_as_string()

    if url.password:
        shown = "".join(traceback.format_exception(error))
        quoted = url.render_as_string(hide_password=False)
        encoded = quoted.partition(f"{url.username}:")[2].partition("@")[0]
        assert encoded and encoded not in shown
        assert str(url.password) not in shown


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("framework", ["flask"])
@on(SERVER_BACKENDS)
def test_an_error_of_a_listener_is_not_blamed_on_the_server(
    backend: Backend, engines: EngineFactory, make: ProjectFactory
) -> None:
    if backend.is_async and sa.__version__.startswith("2.0."):
        pytest.skip("SQLAlchemy 2.0 leaves the connection open.")

    engine: Any = engines(backend)

    def fail(*args: object) -> None:
        raise LookupError("the listener")

    sa.event.listen(getattr(engine, "sync_engine", engine), "connect", fail)
    project = make(engines=engine)
    project.engine = None
    text = str(project.fail(DatabaseConnectionError, "upgrade"))
    assert "LookupError: the listener. Check the engine's options and its" in text


@on([by_id("postgresql-asyncpg")])
def test_a_connection_of_another_event_loop_is_named(
    backend: Backend, engine_for: EngineFactory, tmp_path: Path
) -> None:
    """As of an engine that was used before the server has started."""
    engine = engine_for.asynchronous(backend)
    app = make_app("quart", tmp_path)
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)

    async def connect() -> Any:
        async with engine.connect() as connection:
            return (await connection.get_raw_connection()).driver_connection

    with asyncio.Runner() as first:
        driver_connection = first.run(connect())

        with asyncio.Runner() as second, pytest.raises(DatabaseError) as caught:
            second.run(alembic.status())

        assert "another event loop. Create the engine with 'poolcl" in str(caught.value)
        driver_connection.terminate()
        first.run(asyncio.sleep(0.05))
