"""``op``, ``context`` and their like on a connection that is held open."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic import AppError
from async_alembic import DatabaseConnectionError
from async_alembic import MigrationError

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..backends import on_all_backends
from ..backends import SYNC_BACKENDS
from ..harness import Caller
from ..harness import create_table
from ..harness import Framework
from ..harness import make_app
from ..harness import on_both_frameworks
from ..harness import write_revision
from ..projects import MEMORY
from ..projects import Project
from .live import make_project
from .live import users

POSTGRESQL = by_id("postgresql-psycopg2")
#: An Engine each of a file, a server and memory.
on_some_engines = on([by_id("sqlite-sqlite3"), POSTGRESQL, MEMORY])


def checked_out(project: Project) -> int:
    """How many connections are in use."""
    pool: Any = project.engines["default"].pool
    return int(pool.checkedout())


@on_all_backends
def test_what_op_does_is_seen_by_the_next_command(
    backend: Backend, tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    """On another connection. An open transaction would hide it, and on PostgreSQL its
    locks would let the comparison wait for ever.
    """
    framework: Framework = "quart" if backend.is_async else "flask"
    project = make_project(tmp_path, engines, backend, framework)
    alembic = project.alembic
    caller(alembic, "upgrade")

    with caller.inside(project.app):
        assert caller(alembic, "compare_metadata") == []
        assert caller.context(alembic, "get_current_revision") == "aaaa"
        caller.op(alembic, "drop_column", "users", "name")
        (difference,) = caller(alembic, "compare_metadata")
        assert difference[0] == "add_column"
        assert difference[3].name == "name"
        caller.op(alembic, "add_column", "users", sa.Column("name", sa.String(20)))
        assert caller(alembic, "compare_metadata") == []
        caller.op(alembic, "rename_table", "users", "people")
        assert caller.tables(project.engine) == {"people"}
        caller.op(alembic, "rename_table", "people", "users")
        caller(alembic, "downgrade")
        assert caller.context(alembic, "get_current_revision") is None
        caller(alembic, "upgrade")
        assert caller.context(alembic, "get_current_heads") == ("aaaa",)


class TestOpenConnections:
    """Those of an Engine, for the time of an app context."""

    @on_both_frameworks
    @on(SYNC_BACKENDS)
    def test_they_are_closed_at_the_end_of_the_context(
        self,
        backend: Backend,
        framework: Framework,
        tmp_path: Path,
        engines: EngineFactory,
        runner: asyncio.Runner,
    ) -> None:
        project = make_project(tmp_path, engines, backend, framework)
        alembic, caller = project.alembic.sync, Caller(runner, False)

        with caller.inside(project.app):
            caller.block(lambda: alembic.op.execute(sa.text("SELECT 1")))
            context = caller.block(lambda: alembic.migration_context)
            assert context.connection is not None
            closed = [context.connection.closed]
            assert caller.block(lambda: alembic.context) is context
            assert caller.block(lambda: alembic.op.get_context()) is context
            assert caller.block(lambda: alembic.op.get_bind()) is context.connection
            assert caller.block(lambda: alembic.ops["default"]) is caller.block(
                lambda: alembic.op
            )

            # What a user sets in a session does not reach the app.
            if not backend.in_memory:
                assert checked_out(project) == 0

        closed.append(context.connection.closed)
        assert closed == [False, True]
        del context
        gc.collect()

    @on_both_frameworks
    @on_some_engines
    def test_one_context_does_not_close_those_of_another(
        self,
        backend: Backend,
        framework: Framework,
        tmp_path: Path,
        engines: EngineFactory,
        runner: asyncio.Runner,
    ) -> None:
        """In Flask-Alembic a nested context, as tests and the shell have, closes those
        of the one around it.
        """
        project = make_project(tmp_path, engines, backend, framework)
        alembic, caller = project.alembic.sync, Caller(runner, False)

        with caller.inside(project.app):
            outer = caller.block(lambda: alembic.op.get_bind())

            with caller.inside(project.app):
                inner = caller.block(lambda: alembic.op.get_bind())
                assert inner is not outer

            assert inner.closed
            assert not outer.closed
            assert caller.block(lambda: alembic.op.get_bind()) is outer
            outer.execute(sa.text("SELECT 1"))

        assert outer.closed

    @on([by_id("sqlite-sqlite3"), POSTGRESQL])
    def test_two_threads_have_their_own(
        self, backend: Backend, tmp_path: Path, engines: EngineFactory
    ) -> None:
        """Two requests at once, of which one ends first."""
        project = make_project(tmp_path, engines, backend)
        app: Any = project.app
        alembic = project.alembic.sync
        both_open, first_is_done = threading.Barrier(2), threading.Event()

        def first() -> sa.Connection:
            with app.app_context():
                connection = alembic.op.get_bind()
                both_open.wait(30)

            first_is_done.set()
            assert connection.closed
            return connection

        def second() -> sa.Connection:
            with app.app_context():
                connection = alembic.op.get_bind()
                both_open.wait(30)
                assert first_is_done.wait(30)
                assert not connection.closed
                alembic.op.execute(sa.text("SELECT 1"))

            return connection

        with ThreadPoolExecutor(2) as executor:
            futures = executor.submit(first), executor.submit(second)
            one, another = (future.result(30) for future in futures)

        assert one is not another
        assert another.closed
        assert checked_out(project) == 0

    @on_some_engines
    def test_nothing_is_left_by_many_contexts(
        self, backend: Backend, tmp_path: Path, engines: EngineFactory
    ) -> None:
        project = make_project(tmp_path, engines, backend)
        app: Any = project.app
        connections = []

        for _ in range(20):
            with app.app_context():
                connections.append(project.alembic.sync.op.get_bind())
                project.alembic.sync.upgrade()
                project.alembic.sync.downgrade("base")

        assert all(connection.closed for connection in connections)

        if backend is not MEMORY:
            assert checked_out(project) == 0

    @on_some_engines
    def test_they_are_closed_if_the_request_fails(
        self, backend: Backend, tmp_path: Path, engines: EngineFactory
    ) -> None:
        project = make_project(tmp_path, engines, backend)
        app: Any = project.app

        def index() -> str:
            connections.append(project.alembic.sync.op.get_bind())
            project.alembic.sync.op.execute(sa.text("SELECT no_such_column"))
            return "never"

        app.add_url_rule("/", view_func=index)
        connections: list[sa.Connection] = []
        assert app.test_client().get("/").status_code == 500
        assert connections[0].closed

    @on_some_engines
    def test_a_context_in_which_none_was_used_opens_none(
        self, backend: Backend, tmp_path: Path, engines: EngineFactory
    ) -> None:
        project = make_project(tmp_path, engines, backend)
        app: Any = project.app
        opened: list[Any] = []
        sa.event.listen(project.engine, "engine_connect", opened.append)

        with app.app_context():
            assert project.alembic.sync.config is not None
            assert project.alembic.sync.environment_context is not None
            assert len(project.alembic.sync.heads()) == 1

        assert opened == []

    @on_some_engines
    def test_without_a_context_there_is_no_end_to_close_them_at(
        self, backend: Backend, tmp_path: Path, engines: EngineFactory
    ) -> None:
        alembic = (project := make_project(tmp_path, engines, backend)).alembic.sync
        properties: list[Callable[[], object]] = [
            lambda: alembic.op,
            lambda: alembic.ops,
            lambda: alembic.context,
            lambda: alembic.migration_context,
            lambda: alembic.migration_contexts,
        ]

        for use in properties:
            with pytest.raises(AppError, match="app.app_context()"):
                use()

        assert project.app is not None

    @on_some_engines
    def test_a_failed_migration_is_taken_back_while_one_is_open(
        self, backend: Backend, tmp_path: Path, engines: EngineFactory
    ) -> None:
        """In memory it is the same connection, which is in autocommit mode."""
        project = make_project(tmp_path, engines, backend)
        write_revision(
            project.folder,
            "bbbb",
            "aaaa",
            upgrade=f"{create_table('orders')}\nraise ValueError('no')",
        )
        app: Any = project.app
        alembic = project.alembic.sync

        with app.app_context():
            assert alembic.context.get_current_revision() is None

            with pytest.raises(MigrationError, match="no"):
                alembic.upgrade()

            assert alembic.context.get_current_revision() is None
            alembic.upgrade("aaaa")
            assert alembic.context.get_current_revision() == "aaaa"
            inspector = sa.inspect(alembic.op.get_bind())
            tables = {*inspector.get_table_names()} - {"alembic_version"}
            assert tables == {"users"}

    @on_some_engines
    def test_the_apps_own_connections_are_not_in_autocommit_mode_after_it(
        self, backend: Backend, tmp_path: Path, engines: EngineFactory
    ) -> None:
        project = make_project(tmp_path, engines, backend)
        app: Any = project.app
        engine: Any = project.engine

        with app.app_context():
            project.alembic.sync.upgrade()
            project.alembic.sync.op.execute("INSERT INTO users VALUES (1, 'Ann')")

        with engine.connect() as connection:
            connection.exec_driver_sql("INSERT INTO users VALUES (2, 'Bob')")
            connection.rollback()
            rows = connection.exec_driver_sql("SELECT name FROM users").all()

        assert [tuple(row) for row in rows] == [("Ann",)]

    def test_a_database_that_is_out_of_reach_leaves_none_open(
        self, tmp_path: Path, engines: EngineFactory
    ) -> None:
        app: Any = make_app("flask", tmp_path)
        good = engines.synchronous(by_id("sqlite-sqlite3"))
        bad = sa.create_engine(f"sqlite:///{tmp_path}/no/such/folder/x.db")
        alembic = Alembic(
            app,
            metadatas={"default": sa.MetaData(), "log": sa.MetaData()},
            engines={"default": good, "log": bad},
        )

        with app.app_context():
            for _ in range(2):
                with pytest.raises(DatabaseConnectionError, match="'log'"):
                    _ = alembic.sync.op

                pool: Any = good.pool
                assert pool.checkedout() == 0

    @on_some_engines
    def test_batch_and_bulk_operations_work(
        self, backend: Backend, tmp_path: Path, engines: EngineFactory
    ) -> None:
        project = make_project(tmp_path, engines, backend)
        app: Any = project.app
        alembic = project.alembic.sync

        with app.app_context():
            alembic.upgrade()
            table = project.metadatas.tables["users"]
            alembic.op.bulk_insert(table, [{"id": 1, "name": "Ann"}])

            with alembic.op.batch_alter_table("users") as batch:
                batch.add_column(sa.Column("age", sa.Integer))
                batch.alter_column("name", new_column_name="label")

            (row,) = alembic.op.get_bind().execute(sa.text("SELECT * FROM users"))
            assert row._asdict() == {"id": 1, "label": "Ann", "age": None}

    def test_two_apps_have_their_own(
        self, tmp_path: Path, engines: EngineFactory
    ) -> None:
        apps: list[Any] = [
            make_app("flask", tmp_path / name, name) for name in ("one", "two")
        ]
        databases = {app: engines.synchronous(by_id("sqlite-sqlite3")) for app in apps}

        def current_engine() -> sa.Engine:
            from flask import current_app

            app: Any = current_app
            return databases[app._get_current_object()]

        # One extension, set up for two apps.
        alembic = Alembic(metadatas=users(), engines=current_engine)

        for app in apps:
            alembic.init_app(app)

        first, second = apps

        with first.app_context():
            outer = alembic.sync.op.get_bind()

            with second.app_context():
                inner = alembic.sync.op.get_bind()

            assert inner.closed and not outer.closed

        assert outer.engine.url == databases[first].url
        assert inner.engine.url == databases[second].url
