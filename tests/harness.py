"""Apps, histories, and a way to call both classes from one plain test function.

.. code-block:: python

    @on_all_backends
    def test_it(
        backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
    ) -> None:
        app = make_app("quart", tmp_path)
        engine = engines(backend)
        alembic = Alembic(app, metadatas=metadata, engines=engine)
        write_revision(tmp_path / "migrations", "a1", upgrade="op.execute('...')")
        caller(alembic, "upgrade")
        assert "users" in caller.tables(engine)

Such a test runs twice, with the call awaited and blocking. It is no coroutine, as a
blocking call is refused where a loop runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import textwrap
from collections.abc import AsyncIterator
from collections.abc import Callable
from collections.abc import Coroutine
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from typing import cast
from typing import Literal
from typing import TypeVar

import pytest
import sqlalchemy as sa
from alembic.script import Script
from flask import Flask
from flask.sansio.app import App
from quart import Quart
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.pool import QueuePool

from async_alembic import Alembic
from async_alembic import SyncAlembic

from .backends import Backend
from .backends import by_id
from .backends import DatabaseFactory
from .backends import EngineFactory

#: Each database through one driver of each kind: where the driver is not the point.
ONE_OF_EACH_KIND = [
    by_id("sqlite-sqlite3"),
    by_id("sqlite-aiosqlite"),
    by_id("postgresql-psycopg2"),
    by_id("postgresql-asyncpg"),
    by_id("mariadb-pymysql"),
    by_id("mariadb-asyncmy"),
]

T = TypeVar("T")
Framework = Literal["flask", "quart"]
FRAMEWORKS: list[Framework] = ["flask", "quart"]
AnyEngine = sa.Engine | AsyncEngine

on_both_frameworks = pytest.mark.parametrize("framework", FRAMEWORKS)
#: For tests of what is the same in both ways, or has only one.
awaited_only = pytest.mark.parametrize("caller", ["awaited"], indirect=True)
blocking_only = pytest.mark.parametrize("caller", ["blocking"], indirect=True)


def make_app(
    framework: Framework, root: Path, name: str = "shop", **config: Any
) -> App:
    """An app whose relative paths start at a folder, with these config keys."""
    make: Any = {"flask": Flask, "quart": Quart}[framework]
    root.mkdir(parents=True, exist_ok=True)
    app: App = make(name, root_path=str(root))
    app.config.update(config)
    return app


def write_revision(
    folder: Path,
    revision: str,
    after: str | tuple[str, ...] | None = None,
    upgrade: str = "pass",
    downgrade: str = "pass",
    *,
    args: str = "",
    top: str = "",
    labels: Iterable[str] = (),
    depends_on: str | tuple[str, ...] | None = None,
) -> Path:
    """Write a revision file, named after its id.

    :param after: The id of its parent, or those of several.
    :param upgrade: The body of ``upgrade()``.
    :param downgrade: The body of ``downgrade()``.
    :param args: The arguments of both, ``engine_name`` with several databases.
    :param top: More code for the module.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{revision}.py"
    path.write_text(
        f'"""Revision {revision}."""\n'
        "import sqlalchemy as sa\n"
        "from alembic import op\n"
        f"revision = {revision!r}\n"
        f"down_revision = {after!r}\n"
        f"branch_labels = {tuple(labels) or None!r}\n"
        f"depends_on = {depends_on!r}\n"
        f"{textwrap.dedent(top)}\n"
        f"def upgrade({args}):\n{_body(upgrade)}\n"
        f"def downgrade({args}):\n{_body(downgrade)}\n"
    )
    return path


def one_connection(backend: Backend) -> dict[str, Any]:
    """Options for an engine that has one connection, and soon tells if it is lost."""
    return {**connections(backend, 1), "max_overflow": 0, "pool_timeout": 2}


def connections(backend: Backend, count: int) -> dict[str, Any]:
    """Options for an engine that keeps as many connections.

    The class is named, as it is another one in older versions of SQLAlchemy.
    """
    pool = AsyncAdaptedQueuePool if backend.is_async else QueuePool
    return {"poolclass": pool, "pool_size": count}


def create_table(name: str, *columns: str) -> str:
    """The code of an upgrade that makes a table, by default with an id alone."""
    listed = columns or ("sa.Column('id', sa.Integer, primary_key=True)",)
    return f"op.create_table({name!r}, {', '.join(listed)})"


def ids(scripts: Iterable[Script]) -> list[str]:
    """The ids of revisions. They are compared by these, as each is a new object once
    a file has changed.
    """
    return [script.revision for script in scripts]


def _body(code: str) -> str:
    return textwrap.indent(textwrap.dedent(code).strip("\n"), "    ")


class Caller:
    """Calls either shell, and looks into the databases, from a plain function.

    Coroutines all run in one event loop, and everything runs in one context, in which
    an app's context can be entered.

    :param runner: Holds the loop. None runs while a blocking method is called.
    :param awaited: Whether to call the awaited shell.
    """

    def __init__(self, runner: asyncio.Runner, awaited: bool) -> None:
        self.runner = runner
        self.awaited = awaited
        self._context = contextvars.copy_context()

    def __call__(
        self, alembic: Alembic, method: str, /, *args: Any, **kwargs: Any
    ) -> Any:
        """Call a method of the shell, and await it if that is the awaited one."""
        return self._call(lambda shell: shell, alembic, method, args, kwargs)

    def collect(
        self, alembic: Alembic, method: str, /, *args: Any, **kwargs: Any
    ) -> list[Any]:
        """Call a method that yields results, and return all of them."""
        if self.awaited:
            return self.run(_collect(getattr(alembic, method)(*args, **kwargs)))

        return self.block(lambda: [*getattr(alembic.sync, method)(*args, **kwargs)])

    def op(self, alembic: Alembic, method: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call one of Alembic's operations on ``alembic.op``."""
        return self._call(lambda shell: shell.op, alembic, method, args, kwargs)

    def context(
        self, alembic: Alembic, method: str, /, *args: Any, **kwargs: Any
    ) -> Any:
        """Call a method of the migration context, on ``alembic.context``."""
        return self._call(lambda shell: shell.context, alembic, method, args, kwargs)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop."""
        return self.runner.run(coroutine, context=self._context)

    def block(self, fn: Callable[[], T]) -> T:
        """Call a function where no loop runs, in the app context if one is entered."""
        return self._context.run(fn)

    @contextlib.contextmanager
    def inside(self, app: App) -> Iterator[None]:
        """Enter the context of an app."""
        context: Any = cast("Any", app).app_context()

        if isinstance(app, Quart):
            self.run(context.__aenter__())
        else:
            self.block(context.__enter__)

        try:
            yield
        finally:
            if isinstance(app, Quart):
                self.run(context.__aexit__(None, None, None))
            else:
                self.block(lambda: context.__exit__(None, None, None))

    def begin(self, engine: AnyEngine, fn: Callable[[sa.Connection], T]) -> T:
        """Call a function with a connection, in a transaction."""
        if isinstance(engine, AsyncEngine):
            return self.run(_begin(engine, fn))

        with engine.begin() as connection:
            return fn(connection)

    def execute(self, engine: AnyEngine, *statements: str) -> None:
        def work(connection: sa.Connection) -> None:
            for statement in statements:
                connection.exec_driver_sql(statement)

        self.begin(engine, work)

    def query(self, engine: AnyEngine, statement: str) -> list[tuple[Any, ...]]:
        return self.begin(
            engine, lambda c: [tuple(row) for row in c.exec_driver_sql(statement)]
        )

    def tables(self, engine: AnyEngine) -> set[str]:
        """The names of the tables, without those of migrations."""
        names = self.begin(engine, lambda c: sa.inspect(c).get_table_names())
        return {*names} - {"alembic_version", "alembic_version_lease"}

    def columns(self, engine: AnyEngine, table: str) -> set[str]:
        columns = self.begin(engine, lambda c: sa.inspect(c).get_columns(table))
        return {column["name"] for column in columns}

    def versions(self, engine: AnyEngine) -> list[str]:
        """The revisions that a database is at, read past all of Alembic."""
        if not self.begin(engine, lambda c: sa.inspect(c).has_table("alembic_version")):
            return []

        rows = self.query(engine, "SELECT version_num FROM alembic_version")
        return sorted(row[0] for row in rows)

    def _call(
        self,
        target: Callable[[Alembic | SyncAlembic], Any],
        alembic: Alembic,
        method: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        if self.awaited:
            return self.run(getattr(target(alembic), method)(*args, **kwargs))

        return self.block(
            lambda: getattr(target(alembic.sync), method)(*args, **kwargs)
        )


async def _collect(results: AsyncIterator[T]) -> list[T]:
    return [result async for result in results]


async def _begin(engine: AsyncEngine, fn: Callable[[sa.Connection], T]) -> T:
    async with engine.begin() as connection:
        return await connection.run_sync(fn)


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """An event loop for a test that is no coroutine."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(params=["awaited", "blocking"])
def caller(request: pytest.FixtureRequest, runner: asyncio.Runner) -> Caller:
    """Calls the awaited, then the blocking shell; see :class:`Caller`."""
    return Caller(runner, request.param == "awaited")


@pytest.fixture
def engines(
    database_factory: DatabaseFactory, runner: asyncio.Runner
) -> Iterator[EngineFactory]:
    """Make engines: ``engines(backend, url=None, **options)``.

    As ``engine_for``, for tests that are no coroutines: they are disposed on the loop
    of ``runner``. The test fails if it has not given back all their connections.
    """
    engines = EngineFactory(database_factory)
    yield engines

    if leaking := runner.run(engines.dispose()):
        pytest.fail("Connections were not given back:\n" + "\n".join(leaking))


def queries_of(engine: AnyEngine) -> list[str]:
    """The statements that SQLAlchemy executes on an engine from now on."""
    statements: list[str] = []
    sync_engine = engine.sync_engine if isinstance(engine, AsyncEngine) else engine
    event = "before_cursor_execute"
    sa.event.listen(sync_engine, event, lambda *args: statements.append(args[2]))
    return statements
