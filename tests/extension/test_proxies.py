"""``op``, ``context`` and their like with a connection for each use."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from typing import cast

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.ext.asyncio import AsyncEngine

from async_alembic import Alembic
from async_alembic import AsyncAlembicError

from ..backends import ASYNC_BACKENDS
from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..harness import Caller
from ..harness import Framework
from ..harness import on_both_frameworks
from ..projects import Project
from .live import make_project

#: An AsyncEngine each.
on_some_async_engines = on(
    [
        by_id("sqlite-aiosqlite"),
        by_id("postgresql-asyncpg"),
        by_id("sqlite-memory-aiosqlite"),
    ]
)


class TestProxies:
    """With an AsyncEngine, or awaited, each use has a connection of its own."""

    @on_both_frameworks
    @on(ASYNC_BACKENDS)
    def test_no_context_is_needed_with_an_async_engine(
        self,
        backend: Backend,
        framework: Framework,
        tmp_path: Path,
        engines: EngineFactory,
        caller: Caller,
    ) -> None:
        project = make_project(tmp_path, engines, backend, framework)
        caller(project.alembic, "upgrade")
        caller.op(project.alembic, "add_column", "users", sa.Column("age", sa.Integer))
        assert caller.columns(project.engine, "users") == {"id", "name", "age"}
        assert caller.context(project.alembic, "get_current_revision") == "aaaa"

    @on_some_async_engines
    def test_those_of_the_blocking_shell_are_named_like_the_real_ones(
        self, backend: Backend, tmp_path: Path, engines: EngineFactory
    ) -> None:
        project = make_project(tmp_path, engines, backend)
        alembic = project.alembic.sync
        assert [*alembic.ops] == [*alembic.migration_contexts] == ["default"]
        alembic.ops["default"].create_table(
            "orders", sa.Column("id", sa.Integer, primary_key=True)
        )
        assert alembic.migration_contexts["default"].get_current_heads() == ()
        assert alembic.migration_context.dialect.name == backend.database
        assert alembic.context.as_sql is False
        assert str(alembic.op.f("ix_orders")) == "ix_orders"

        with pytest.raises(AttributeError):
            getattr(alembic.op, "no_such_operation")  # noqa: B009

    @pytest.mark.parametrize(
        "backend",
        [
            by_id("sqlite-sqlite3"),
            by_id("sqlite-aiosqlite"),
            by_id("postgresql-asyncpg"),
        ],
        ids=str,
        indirect=True,
    )
    async def test_methods_are_called_and_attributes_awaited(
        self, backend: Backend, tmp_path: Path, engine_for: EngineFactory
    ) -> None:
        project = make_project(tmp_path, engine_for, backend)
        alembic = project.alembic
        table = await alembic.op.create_table(
            "orders", sa.Column("id", sa.Integer, primary_key=True)
        )
        assert isinstance(table, sa.Table)
        assert await alembic.op.f("ix_orders") == "ix_orders"
        assert await alembic.context.version_table == "alembic_version"
        assert await alembic.context.as_sql is False
        assert (await alembic.context.dialect).name == backend.database
        assert await alembic.context.get_current_revision() is None
        await alembic.upgrade()
        assert await alembic.context.get_current_revision() == "aaaa"
        assert await alembic.context.get_current_heads() == ("aaaa",)

        with pytest.raises(AttributeError, match="no_such_operation"):
            await alembic.op.no_such_operation

        with pytest.raises(AttributeError, match="no_such_operation"):
            await alembic.op.no_such_operation("users")

        with pytest.raises(AttributeError):
            alembic.op._private  # noqa: B018

    @on([by_id("sqlite-aiosqlite")])
    @pytest.mark.parametrize(
        ("kind", "attribute", "args"),
        [
            ("op", "batch_alter_table", ("users",)),
            ("op", "get_bind", ()),
            ("op", "get_context", ()),
            ("op", "migration_context", None),
            ("context", "begin_transaction", ()),
            ("context", "autocommit_block", ()),
            ("context", "connection", None),
            ("context", "bind", None),
            ("context", "impl", None),
        ],
    )
    def test_what_needs_the_open_connection_is_refused(
        self,
        backend: Backend,
        kind: str,
        attribute: str,
        args: tuple[str, ...] | None,
        tmp_path: Path,
        engines: EngineFactory,
        caller: Caller,
    ) -> None:
        """The error says what to write instead."""
        project = make_project(tmp_path, engines, backend)
        caller(project.alembic, "upgrade")

        with pytest.raises(AsyncAlembicError) as caught:
            if args is not None:
                {"op": caller.op, "context": caller.context}[kind](
                    project.alembic, attribute, *args
                )
            elif caller.awaited:
                caller.run(awaited_attribute(project.alembic, kind, attribute))
            else:
                getattr(getattr(project.alembic.sync, kind), attribute)

        assert f"'{kind}.{attribute}'" in str(caught.value)
        assert f"'env.{kind}.{attribute}'" in str(caught.value)

        def instead(env: Any) -> object:
            value = getattr(getattr(env, kind), attribute)
            return (value if args is None else value(*args)) is not None

        assert caller(project.alembic, "run", instead)

    @on_some_async_engines
    def test_a_method_that_is_not_called_is_told(
        self,
        backend: Backend,
        tmp_path: Path,
        engines: EngineFactory,
        runner: asyncio.Runner,
    ) -> None:
        """``await alembic.op.drop_table`` would look as if it had done something."""
        project = make_project(tmp_path, engines, backend)

        with pytest.raises(AsyncAlembicError, match="op.drop_table"):
            runner.run(awaited_attribute(project.alembic, "op", "drop_table"))

    @on_some_async_engines
    def test_each_use_is_a_transaction_of_its_own(
        self, backend: Backend, tmp_path: Path, engines: EngineFactory, runner: Any
    ) -> None:
        project = make_project(tmp_path, engines, backend)
        caller = Caller(runner, True)
        caller(project.alembic, "upgrade")
        caller.op(project.alembic, "execute", "INSERT INTO users VALUES (1, 'Ann')")

        with pytest.raises(sa.exc.IntegrityError):
            caller.op(project.alembic, "execute", "INSERT INTO users VALUES (1, 'Bob')")

        rows = caller.query(project.engine, "SELECT name FROM users")
        assert rows == [("Ann",)]

    @on([by_id("sqlite-aiosqlite"), by_id("postgresql-asyncpg")])
    def test_uses_at_once_are_kept_apart(
        self, backend: Backend, tmp_path: Path, engines: EngineFactory, runner: Any
    ) -> None:
        project = make_project(tmp_path, engines, backend)

        async def create(number: int) -> None:
            column = sa.Column("id", sa.Integer, primary_key=True)
            await project.alembic.op.create_table(f"t{number}", column)

        async def main() -> None:
            await asyncio.gather(*map(create, range(5)))

        runner.run(main())
        caller = Caller(runner, True)
        assert caller.tables(project.engine) == {f"t{number}" for number in range(5)}
        assert isinstance(project.engine, AsyncEngine)


async def awaited_attribute(alembic: Alembic, kind: str, attribute: str) -> Any:
    return await getattr(getattr(alembic, kind), attribute)


def test_the_environment_is_that_of_the_live_context(
    tmp_path: Path, engines: EngineFactory
) -> None:
    project = Project(tmp_path, engines)
    alembic = project.alembic.sync

    with cast(Flask, project.app).app_context():
        context = alembic.context
        assert alembic.env.get_context() is context
        assert alembic.environment_context.script is alembic.script
