"""What users write, checked with ``mypy --strict`` and never run.

An ignored error is expected: the check fails if it is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from typing import assert_type

import sqlalchemy as sa
from alembic.config import Config
from alembic.operations import MigrationScript
from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import Script
from alembic.script import ScriptDirectory
from flask import Flask
from quart import Quart
from sqlalchemy.ext.asyncio import AsyncEngine

from async_alembic import Alembic
from async_alembic import DatabaseStatus
from async_alembic import RevisionNotFoundError
from async_alembic import SyncAlembic

metadata = sa.MetaData()


def make_for_either_framework(flask: Flask, quart: Quart) -> None:
    Alembic(flask, metadatas=metadata)
    SyncAlembic(quart, metadatas=[metadata], command_name="migrations")
    alembic = Alembic()
    alembic.init_app(flask)
    alembic.init_app(quart)
    Alembic(object())  # type: ignore[arg-type]
    Alembic(flask, metadata)  # type: ignore[call-arg]


def make_for_any_engine(engine: sa.Engine, async_engine: AsyncEngine) -> None:
    Alembic(engines=engine)
    Alembic(engines=async_engine)
    Alembic(engines={"default": engine}, metadatas={"default": metadata})
    Alembic(engines={"default": async_engine}, metadatas={"default": [metadata]})
    Alembic(engines=lambda: async_engine)
    Alembic(engines=lambda: {"default": async_engine, "other": async_engine})
    Alembic(engines="postgresql://localhost")  # type: ignore[arg-type]


async def await_it(alembic: Alembic) -> None:
    assert_type(await alembic.upgrade(), list[Script])
    assert_type(await alembic.upgrade(1), list[Script])
    assert_type(await alembic.downgrade("base"), list[Script])
    assert_type(await alembic.current(), tuple[Script, ...])
    assert_type(await alembic.heads(resolve_dependencies=True), tuple[Script, ...])
    assert_type(await alembic.log("current", ["a1", "b2"]), list[Script])
    assert_type(await alembic.branches(), list[Script])
    assert_type(await alembic.revision("message", label=["a"]), list[Script])
    assert_type(await alembic.merge(), Script | None)
    assert_type(await alembic.produce_migrations(), MigrationScript)
    assert_type(await alembic.compare_metadata(), list[Any])
    assert_type(await alembic.needs_upgrade(), bool)
    assert_type(await alembic.needs_revision(), bool)
    assert_type(await alembic.status(), dict[str, DatabaseStatus])
    assert_type(await alembic.run(lambda env: env.context), MigrationContext)
    assert_type(await alembic.run(lambda env: env.ops["other"]), Operations)
    await alembic.stamp(await alembic.current(), purge=True)
    await alembic.wait_until_current(timeout=10)
    await alembic.op.drop_column("users", "name")
    await alembic.context.get_current_revision()
    await alembic.context.connection
    assert_type(alembic.config, Config)
    assert_type(alembic.script, ScriptDirectory)


async def forget_to_await(alembic: Alembic) -> None:
    alembic.upgrade()  # type: ignore[unused-coroutine]
    alembic.op.drop_column("users", "name")  # type: ignore[unused-coroutine]
    needs_upgrade: bool = alembic.needs_upgrade()  # type: ignore[assignment]
    [script.revision for script in alembic.heads()]  # type: ignore[attr-defined]
    print(needs_upgrade)


async def pass_what_is_no_target(alembic: Alembic) -> None:
    await alembic.upgrade(None)  # type: ignore[arg-type]
    await alembic.stamp(1)  # type: ignore[arg-type]
    await alembic.stamp("heads", True)  # type: ignore[call-arg]
    await alembic.revision()  # type: ignore[call-arg]


def block(alembic: SyncAlembic) -> None:
    assert_type(alembic.upgrade("heads"), list[Script])
    assert_type(alembic.current(), tuple[Script, ...])
    assert_type(alembic.merge(("a1", "b2"), splice=True), Script | None)
    assert_type(alembic.needs_revision(), bool)
    assert_type(alembic.status(), dict[str, DatabaseStatus])
    assert_type(alembic.run(lambda env: env.default), str)
    assert_type(alembic.env, EnvironmentContext)
    assert_type(alembic.context, MigrationContext)
    assert_type(alembic.op, Operations)
    assert_type(alembic.ops, dict[str, Operations])
    assert_type(Alembic().sync.script_directory, ScriptDirectory)


async def await_what_blocks(alembic: SyncAlembic) -> None:
    await alembic.upgrade()  # type: ignore[misc]


def pick_steps(alembic: SyncAlembic) -> None:
    def steps(heads: tuple[str, ...], context: MigrationContext) -> list[Any]:
        return []

    alembic.run_migrations(steps, tag="a tag")


def look_at_an_error(error: RevisionNotFoundError, status: DatabaseStatus) -> None:
    assert_type(error.revision, str)
    assert_type(status.pending, tuple[Script, ...])
    pending: Sequence[Script] = status.pending
    print(pending)


class Numbered(Alembic):
    def rev_id(self) -> str:
        return f"{1:04d}"


def pass_the_metadata_of_flask_sqlalchemy(
    of_binds: dict[str | None, sa.MetaData], of_names: dict[str, sa.MetaData]
) -> None:
    Alembic(metadatas=of_binds)
    Alembic(metadatas=of_names)
