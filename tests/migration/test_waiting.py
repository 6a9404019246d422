"""What a migrator does while it waits for another one."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import itertools
import os
import sqlite3
import sys
import time
from pathlib import Path

import pytest

from async_alembic import ConfigurationError
from async_alembic import LockTimeout
from async_alembic.migration import locking
from async_alembic.migration.locking import backoff

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..backends import SHARED_BACKENDS
from ..direct import execute
from ..harness import Caller
from ..harness import ids
from .sites import HOLD
from .sites import in_a_thread
from .sites import LOG
from .sites import migrating
from .sites import on_shared_backends
from .sites import SERVER_BACKENDS
from .sites import Site

SQLITE_FILES = [b for b in SHARED_BACKENDS if b.database == "sqlite"]
on_sqlite_files = on(SQLITE_FILES)
APPLICATION = {
    "psycopg2": {"application_name": "shop worker"},
    "psycopg": {"application_name": "shop worker"},
    "asyncpg": {"server_settings": {"application_name": "shop worker"}},
}


@on(SERVER_BACKENDS)
def test_it_says_once_in_a_while_who_is_waited_for(
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(locking, "FIRST_SIGNAL", 0.2)
    options = APPLICATION.get(backend.driver, {})
    first = Site(engines(backend, connect_args=options), tmp_path / "one")
    url = first.engine.url
    second = Site(engines(backend, url), tmp_path / "two", ALEMBIC_LOCK_TIMEOUT=1)
    first.history("pass", HOLD)
    second.history("pass", "pass")
    started = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=2)

    with migrating(first), pytest.raises(LockTimeout) as caught:
        caller(second.alembic, "upgrade")

    error = caught.value
    assert (error.database, error.timeout) == ("default", 1)
    assert isinstance(error, TimeoutError)
    holder = error.holder
    assert holder is not None and holder.since is not None
    assert started <= holder.since <= dt.datetime.now(dt.UTC)
    assert (holder.address or "").startswith("127.0.0.1")
    name = "shop worker" if options else first.engine.url.username
    assert holder.application_name == name
    notes = [r.getMessage() for r in caplog.records if r.name == "async_alembic"]
    assert len(notes) == 1
    assert "'default'" in notes[0]

    for part in f"pid {holder.pid}", str(name), "127.0.0.1", str(holder.since.year):
        assert part in notes[0] and part in str(error)


@on_sqlite_files
@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux tells who has a lock.")
@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
def test_the_process_is_named_that_writes_to_a_file(
    journal: str,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    site = Site(engines(backend), tmp_path, ALEMBIC_LOCK_TIMEOUT=0.1)
    site.history(LOG)
    file = str(site.engine.url.database)

    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute(f"PRAGMA journal_mode={journal}")
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(LockTimeout, match="python") as caught:
            caller(site.alembic, "upgrade")

    assert caught.value.holder is not None
    assert caught.value.holder.pid == os.getpid()


@on_sqlite_files
@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
def test_nothing_is_left_beside_the_file_of_a_database(
    journal: str,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    runner: asyncio.Runner,
    tmp_path: Path,
) -> None:
    site = Site(engines(backend), tmp_path)
    site.history(LOG)
    file = Path(str(site.engine.url.database))
    execute(site.engine.url, f"PRAGMA journal_mode={journal}")
    caller(site.alembic, "upgrade")
    runner.run(engines.dispose())
    assert [path.name for path in file.parent.glob("*.db*")] == [file.name]


@on_sqlite_files
def test_a_file_that_is_being_written_can_be_waited_for_from_the_start(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """A large transaction locks the file for readers too, before it is committed."""
    site = Site(engines(backend, connect_args={"timeout": 0.05}), tmp_path)
    site.history(LOG)
    file = str(site.engine.url.database)
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")

    def give_up() -> None:
        time.sleep(0.5)
        other.close()

    with in_a_thread(give_up):
        assert ids(caller(site.alembic, "upgrade")) == ["a1"]


@on_shared_backends
async def test_who_waits_can_be_cancelled(
    backend: Backend, engine_for: EngineFactory, tmp_path: Path
) -> None:
    first = Site(engine_for(backend), tmp_path / "one")
    second = Site(engine_for(backend, first.engine.url), tmp_path / "two")
    first.history("pass", HOLD)
    second.history("pass", LOG)
    upgrade = asyncio.create_task(asyncio.to_thread(first.alembic.sync.upgrade))
    assert await asyncio.to_thread(first.running.wait, 30)
    started = time.monotonic()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(second.alembic.upgrade(), 0.3)

    assert time.monotonic() - started < 5
    first.go_on.set()
    await upgrade


def test_delays_grow_and_are_random_and_short() -> None:
    delays = [next(itertools.islice(backoff(), n, None)) for n in range(20)]
    assert all(0 < delay <= 1 for delay in delays)
    assert delays[0] <= 0.005
    assert all(delay >= 0.5 for delay in delays[8:])
    assert len(set(delays)) == len(delays)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ALEMBIC_LOCK_TIMEOUT", "soon"),
        ("ALEMBIC_LOCK_TIMEOUT", -1),
        ("ALEMBIC_LOCK_TIMEOUT", None),
        ("ALEMBIC_RETRIES", 1.5),
        ("ALEMBIC_RETRIES", True),
        ("ALEMBIC_SESSION", "lock_timeout"),
        ("ALEMBIC_SESSION", {"lock_timeout": None}),
        ("ALEMBIC_SESSION", {"default": {"lock_timeout": []}}),
    ],
)
@on([by_id("sqlite-sqlite3")])
def test_a_setting_that_cannot_be_used_is_named(
    key: str,
    value: object,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    site = Site(engines(backend), tmp_path, **{key: value})
    site.history(LOG)

    with pytest.raises(ConfigurationError, match=key):
        caller(site.alembic, "upgrade")

    assert caller.tables(site.engine) == set()
