"""Projects that the test kit is tried with."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask.sansio.app import App
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import StaticPool

from async_alembic import Alembic
from async_alembic.testing.copying.fresh_databases import FreshDatabase
from async_alembic.testing.copying.fresh_databases import FreshDatabaseFactory
from async_alembic.testing.copying.shared_servers import SharedServers
from async_alembic.testing.servers.base import PREFIX

from .backends import Backend
from .conftest import server_of
from .harness import create_table
from .harness import Framework
from .harness import make_app
from .harness import write_revision
from .servers import Server

METADATA = sa.MetaData()
NOTE = sa.Table(
    "note",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("text", sa.String(50), nullable=False),
    sa.Column("done", sa.Integer),
)


def write_history(folder: Path) -> None:
    """A table with a row, and a column that is added."""
    write_revision(
        folder,
        "a1",
        None,
        create_table(
            "note",
            "sa.Column('id', sa.Integer, primary_key=True)",
            "sa.Column('text', sa.String(50), nullable=False)",
        )
        + """\nop.execute("INSERT INTO note (text) VALUES ('first')")""",
        "op.drop_table('note')",
    )
    write_revision(
        folder,
        "b2",
        "a1",
        "op.add_column('note', sa.Column('done', sa.Integer))",
        "op.drop_column('note', 'done')",
    )


def server_url(backend: Backend, request: pytest.FixtureRequest, folder: Path) -> str:
    """The URL of the server that a backend's databases are made on."""
    server = server_of(backend, request)

    if server is not None:
        name = "postgres" if backend.database == "postgresql" else ""
        url = server.url(backend.drivername, name)
        url = url.set(database=name or None)
    elif backend.in_memory:
        url = sa.URL.create(backend.drivername)
    else:
        url = sa.URL.create(backend.drivername, database=f"{folder}/")

    return url.render_as_string(hide_password=False)


class Kit:
    """A project, and sessions of tests of it.

    :param root: The folder of the project.
    :param backend: What its databases are.
    :param url: Where they are made.
    """

    def __init__(self, root: Path, backend: Backend, url: str, server: Server | None):
        self.root = root
        self.backend = backend
        self.url = url
        self.server = server
        self.framework: Framework = "quart"
        self.made = 0
        self._lock = threading.Lock()
        self._sessions: list[SharedServers] = []
        self._engines: list[Any] = []

    @property
    def migrations(self) -> Path:
        return self.root / "migrations"

    def app(self, url: str) -> App:
        """What a user's function does."""
        with self._lock:
            self.made += 1

        app = make_app(self.framework, self.root)
        Alembic(app, metadatas=METADATA, engines=self.engine(url))
        return app

    def engine(self, url: str) -> Any:
        make: Any = create_async_engine if self.backend.is_async else sa.create_engine

        options = {}

        if self.backend.in_memory and sa.make_url(url).database is None:
            options["poolclass"] = StaticPool

        self._engines.append(make(url, **options))
        return self._engines[-1]

    def session(self, run: str | None = None, *, keep: bool = False) -> SharedServers:
        session = SharedServers(run or uuid4().hex, keep=keep)
        self._sessions.append(session)
        return session

    def databases(
        self,
        session: SharedServers | None = None,
        factory: Callable[[str], Any] | None = None,
    ) -> FreshDatabaseFactory:
        session = session or self.session()
        return session.database_factory(factory or self.app, self.url)

    def close(self) -> None:
        for session in self._sessions:
            session.close()

        self._sessions.clear()

        for engine in self._engines:
            # Those of databases that a test has not closed.
            if isinstance(engine, sa.Engine):
                engine.dispose()

    def names(self) -> set[str]:
        """What there is of the kit, past it."""
        if self.server is not None:
            names = self.server.database_names()
        else:
            url = sa.make_url(self.url)
            folder = Path(url.database or tempfile.gettempdir())
            names = {path.name for path in folder.glob("*")}

        return {name for name in names if name.startswith(PREFIX)}


@pytest.fixture
def kit(
    backend: Backend,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Kit]:
    """A project with a history of two revisions. The test fails if any database of its
    tests is left.
    """
    folder = tmp_path / "databases"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    url = server_url(backend, request, folder)
    kit = Kit(tmp_path / "project", backend, url, server_of(backend, request))
    write_history(kit.migrations)
    yield kit
    kit.close()
    assert kit.names() == set()


def query(database: FreshDatabase, statement: str) -> list[Any]:
    """Execute a statement as the app would, from code that may block."""
    return database.fresh_app.on_databases(
        lambda access: _execute(access.connections["default"], statement)
    )


def _execute(connection: sa.Connection, statement: str) -> list[Any]:
    result = connection.exec_driver_sql(statement)
    rows = [tuple(row) for row in result] if result.returns_rows else []
    connection.commit()
    return rows
