"""Event loops other than a plain one of asyncio: trio, and asyncio under gevent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
import trio
from sqlalchemy.ext.asyncio import AsyncEngine

from async_alembic import ConfigurationError

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..harness import create_table
from ..harness import ids
from ..harness import ONE_OF_EACH_KIND
from ..harness import write_revision
from .sites import Site
from .sites import SLEEP

SYNC = [backend for backend in ONE_OF_EACH_KIND if not backend.is_async]
ASYNC = [backend for backend in ONE_OF_EACH_KIND if backend.is_async]


@on(SYNC)
def test_an_engine_works_on_trio(
    backend: Backend, engines: EngineFactory, tmp_path: Path
) -> None:
    engine = engines(backend)
    site = Site(engine, tmp_path)

    async def main() -> None:
        alembic = site.alembic
        assert await alembic.needs_upgrade()
        assert ids(await alembic.upgrade()) == ["a1"]
        assert await alembic.upgrade() == []
        assert ids(await alembic.current()) == ids(await alembic.heads()) == ["a1"]
        assert await alembic.compare_metadata() == []
        await alembic.wait_until_current(1)
        await alembic.mkdir()
        assert await alembic.revision("no difference") == []
        assert ids(await alembic.downgrade()) == ["a1"]

    trio.run(main)


@on(SYNC)
def test_an_exit_of_a_revision_reaches_its_caller_on_trio(
    backend: Backend, engines: EngineFactory, tmp_path: Path
) -> None:
    site = Site(engines(backend), tmp_path, "raise SystemExit(3)")

    with pytest.raises(SystemExit, match="3"):
        trio.run(site.alembic.upgrade)


@on([backend for backend in SYNC if backend.database != "sqlite"])
def test_a_cancelled_upgrade_on_trio_is_rolled_back(
    backend: Backend, engines: EngineFactory, tmp_path: Path
) -> None:
    engine = engines(backend)
    site = Site(engine, tmp_path, f"op.execute('{SLEEP[backend.database].format(60)}')")

    async def main() -> bool:
        with trio.move_on_after(1) as scope:
            await site.alembic.upgrade()

        assert await site.alembic.needs_upgrade()
        return scope.cancelled_caught

    assert trio.run(main)
    assert isinstance(engine, sa.Engine)
    # DDL commits on MariaDB.
    assert backend.database == "mariadb" or not sa.inspect(engine).has_table("users")


@on(ASYNC)
def test_an_async_engine_on_trio_is_refused_in_a_sentence(
    backend: Backend, engines: EngineFactory, tmp_path: Path
) -> None:
    engine = engines(backend)
    assert isinstance(engine, AsyncEngine)
    site = Site(engine, tmp_path)

    async def main() -> None:
        with pytest.raises(ConfigurationError, match="trio.*'create_engine'"):
            await site.alembic.upgrade()

    trio.run(main)


#: As a gevent worker of Gunicorn does: threads are greenlets of one real thread.
GEVENT = """
from gevent import monkey

monkey.patch_all()

import sys

import gevent
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.ext.asyncio import create_async_engine

from async_alembic import Alembic

root, url = sys.argv[1:]
app = Flask("shop", root_path=root)
is_async = sa.make_url(url).get_dialect().is_async
engine = (create_async_engine if is_async else sa.create_engine)(url)
metadata = sa.MetaData()
alembic = Alembic(app, metadatas=metadata, engines=engine)


@app.get("/")
async def migrate():
    applied = await alembic.upgrade()
    current = await alembic.current()

    if is_async:
        await engine.dispose()

    return [[s.revision for s in applied], [s.revision for s in current]]


def get():
    return app.test_client().get("/").get_json()


print(gevent.spawn(get).get())
print(gevent.spawn(get).get())
"""


@on([by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite"), by_id("postgresql-asyncpg")])
def test_async_views_migrate_under_gevent(
    backend: Backend, engines: EngineFactory, tmp_path: Path
) -> None:
    url = engines(backend).url.render_as_string(hide_password=False)
    write_revision(tmp_path / "migrations", "a1", None, create_table("users"))
    result = subprocess.run(
        [sys.executable, "-c", GEVENT, str(tmp_path), url],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ["[['a1'], ['a1']]", "[[], ['a1']]"]
