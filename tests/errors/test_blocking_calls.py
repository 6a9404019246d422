"""Blocking calls where a loop runs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from typing import cast

import pytest
import sqlalchemy as sa

from async_alembic import BlockingCallError
from async_alembic import SyncAlembic

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..harness import AnyEngine
from ..harness import create_table
from ..harness import make_app
from ..harness import write_revision
from ..test_public import DECORATORS
from ..test_public import ITERATED
from .project import check_sentence
from .project import metadata

METHODS: dict[str, tuple[Any, ...]] = {
    "mkdir": (),
    "init": (),
    "list_templates": (),
    "show": (),
    "ensure_version": (),
    "drop_all": (),
    "current": (),
    "heads": (),
    "branches": (),
    "log": (),
    "stamp": (),
    "upgrade": (),
    "downgrade": (),
    "revision": ("message",),
    "merge": (),
    "plan": (),
    "produce_migrations": (),
    "compare_metadata": (),
    "move_in": (),
    "adopt": (),
    "rebase": (),
    "squash": ("base", "a1"),
    "applied": (),
    "drift": (),
    "possible_renames": (),
    "unknown_tables": (),
    "upgrade_sql": (),
    "downgrade_sql": ("base", "heads"),
    "stamp_sql": (),
    "needs_upgrade": (),
    "needs_revision": (),
    "status": (),
    "wait_until_current": (),
    "tenant_names": (),
    "create_tenant": ("acme",),
    "upgrade_tenants": (),
    "downgrade_tenants": (),
    "stamp_tenants": (),
    "status_of_tenants": (),
    "check_tenants": (),
    "plan_tenants": (),
    "run_migrations": (lambda heads, context: [],),
    "run": (lambda env: None,),
}
LIVE = ["op", "ops", "context", "migration_context", "migration_contexts"]
#: What there is to await instead is called by the short name.
SHORT = {"ops": "op", "migration_context": "context", "migration_contexts": "context"}


def test_every_method_that_may_block_is_known() -> None:
    names = {name for name in dir(SyncAlembic) if not name.startswith("_")}
    free = {"init_app", "rev_id", "with_options"} | DECORATORS
    free |= {"config", "script", "script_directory"}
    free |= {"environment_context", "env"}
    assert names - free == {*METHODS, *LIVE}


@pytest.mark.parametrize("name", [*METHODS, *LIVE])
@on([by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")])
async def test_a_blocking_call_is_refused_where_a_loop_runs(
    name: str, backend: Backend, engine_for: EngineFactory, tmp_path: Path
) -> None:
    """It would stall every other task."""
    app = make_app("quart", tmp_path)
    engine = engine_for(backend)
    alembic = SyncAlembic(app, metadatas=metadata(), engines=engine)
    write_revision(tmp_path / "migrations", "a1", None, create_table("users"))
    files = sorted((tmp_path / "migrations").iterdir())

    async with cast("Any", app).app_context():
        with pytest.raises(BlockingCallError) as info:
            attribute = getattr(alembic, name)
            attribute(*METHODS[name])

    assert info.value.method == SHORT.get(name, name)
    assert f"'SyncAlembic.{info.value.method}'" in str(info.value)
    how = "async for result in" if name in ITERATED else "await"
    assert f"'{how} alembic.{info.value.method}" in str(info.value)
    check_sentence(str(info.value))
    assert sorted((tmp_path / "migrations").iterdir()) == files
    assert await _tables(engine) == []


async def _tables(engine: AnyEngine) -> list[str]:
    if isinstance(engine, sa.Engine):
        return sa.inspect(engine).get_table_names()

    async with engine.connect() as connection:
        return await connection.run_sync(lambda c: sa.inspect(c).get_table_names())


async def test_a_blocking_call_is_let_through_in_another_thread(
    engine_for: EngineFactory, tmp_path: Path
) -> None:
    app = make_app("quart", tmp_path)
    engine = engine_for(by_id("sqlite-aiosqlite"))
    alembic = SyncAlembic(app, metadatas=metadata(), engines=engine)
    write_revision(tmp_path / "migrations", "a1")
    scripts = await asyncio.to_thread(alembic.upgrade)
    assert [script.revision for script in scripts] == ["a1"]
