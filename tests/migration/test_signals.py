"""The signals that are sent while databases migrate."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import blinker
import pytest
import sqlalchemy as sa
import trio

import async_alembic
from async_alembic import Alembic
from async_alembic import migration_failed
from async_alembic import MigrationError
from async_alembic import migrations_finished
from async_alembic import migrations_started
from async_alembic import migrations_waiting
from async_alembic import revision_applied
from async_alembic import revision_started
from async_alembic.migration import locking

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..harness import awaited_only
from ..harness import blocking_only
from ..harness import Caller
from ..harness import create_table
from ..harness import make_app
from ..harness import ONE_OF_EACH_KIND
from ..harness import write_revision
from .sites import HOLD
from .sites import migrating
from .sites import SERVER_BACKENDS
from .sites import Site

SIGNALS = [
    migrations_started,
    migrations_waiting,
    revision_started,
    revision_applied,
    migrations_finished,
    migration_failed,
]
BOTH_KINDS = [by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")]
on_each_kind = on(ONE_OF_EACH_KIND)
on_both_kinds = on(BOTH_KINDS)
#: Ends the session that executes it.
KILL = {
    "postgresql": "SELECT pg_terminate_backend(pg_backend_pid())",
    "mariadb": "KILL CONNECTION_ID()",
}


class Received(list[tuple[str, dict[str, Any]]]):
    """What a receiver of all signals has got: their names and data."""

    def __call__(self, name: str, sender: object, **data: Any) -> None:
        data.pop("seconds", None)
        self.append((name, data))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self]


@contextlib.contextmanager
def received_from(sender: object) -> Iterator[Received]:
    """Receive all signals of an app."""
    received = Received()

    with contextlib.ExitStack() as stack:
        for signal in SIGNALS:
            receiver = lambda sender, name=signal.name, **data: received(  # noqa: E731
                name, sender, **data
            )
            stack.enter_context(signal.connected_to(receiver, sender=sender))

        yield received


def revision(revision: str, number: int, total: int) -> dict[str, Any]:
    """What signals say of a revision."""
    return {
        "database": "default",
        "revision": revision,
        "message": f"Revision {revision}.",
        "number": number,
        "total": total,
    }


@on_each_kind
def test_the_signals_tell_what_happens(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    site = Site(engines(backend), tmp_path)
    site.history("pass", "pass")

    with received_from(site.app) as received:
        caller(site.alembic, "upgrade")
        caller(site.alembic, "downgrade", "a1")

    up, down = {"direction": "upgrade"}, {"direction": "downgrade"}
    assert received == [
        ("migrations-started", {**up, "databases": ("default",)}),
        ("revision-started", {**up, **revision("a1", 1, 2)}),
        ("revision-applied", {**up, **revision("a1", 1, 2)}),
        ("revision-started", {**up, **revision("a2", 2, 2)}),
        ("revision-applied", {**up, **revision("a2", 2, 2)}),
        ("migrations-finished", {**up, "revisions": {"default": ("a1", "a2")}}),
        ("migrations-started", {**down, "databases": ("default",)}),
        ("revision-started", {**down, **revision("a2", 1, 1)}),
        ("revision-applied", {**down, **revision("a2", 1, 1)}),
        ("migrations-finished", {**down, "revisions": {"default": ("a2",)}}),
    ]


@on_each_kind
def test_nothing_is_sent_if_there_is_nothing_to_do(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    site = Site(engines(backend), tmp_path)
    site.history("pass")
    caller(site.alembic, "upgrade")

    with received_from(site.app) as received:
        caller(site.alembic, "upgrade")
        caller(site.alembic, "upgrade", "a1")
        caller(site.alembic, "downgrade", "a1")
        caller(site.alembic, "stamp", "a1")

    assert received == []


@on_each_kind
def test_a_failure_is_sent_after_the_rollback(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    site = Site(engines(backend), tmp_path)
    site.history("pass", "{}['colour']")

    with received_from(site.app) as received, pytest.raises(MigrationError) as caught:
        caller(site.alembic, "upgrade")

    assert received.names == [
        *("migrations-started", "revision-started", "revision-applied"),
        *("revision-started", "migration-failed"),
    ]
    assert received[-1][1] == {"direction": "upgrade", "error": caught.value}


@on_each_kind
def test_it_is_sent_after_the_commit_that_all_is_finished(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """Whoever hears of it may use the tables."""
    engine = engines(backend)
    site = Site(engine, tmp_path)
    site.history("op.create_table('users', sa.Column('id', sa.Integer))")
    found: list[object] = []

    def count(sender: object, **data: object) -> None:
        assert isinstance(engine, sa.Engine)

        with engine.connect() as connection:
            found.append(connection.scalar(sa.text("SELECT count(*) FROM users")))

    async def count_awaited(sender: object, **data: object) -> None:
        async with engine.connect() as connection:  # type: ignore[union-attr]
            found.append(await connection.scalar(sa.text("SELECT count(*) FROM users")))

    # The pool of an async engine belongs to the loop of the caller.
    if backend.is_async and not caller.awaited:
        return

    receiver = count_awaited if backend.is_async else count

    with migrations_finished.connected_to(receiver, sender=site.app):
        caller(site.alembic, "upgrade")

    assert found == [0]


@on_each_kind
def test_coroutine_functions_are_awaited(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """With an awaited call, on the loop of the caller, before the next revision."""
    site = Site(engines(backend), tmp_path)
    site.history("pass", "pass")
    events: list[str] = []
    loops: set[object] = set()

    async def started(sender: object, *, revision: str, **data: object) -> None:
        await asyncio.sleep(0.01)
        loops.add(asyncio.get_running_loop())
        events.append(f"{revision} started")

    async def applied(sender: object, *, revision: str, **data: object) -> None:
        await asyncio.sleep(0.01)
        events.append(f"{revision} applied")

    with (
        revision_started.connected_to(started, sender=site.app),
        revision_applied.connected_to(applied, sender=site.app),
    ):
        caller(site.alembic, "upgrade")

    assert events == ["a1 started", "a1 applied", "a2 started", "a2 applied"]

    if caller.awaited:
        assert loops == {caller.runner.get_loop()}


def test_coroutine_functions_are_awaited_on_trio(
    engines: EngineFactory, tmp_path: Path
) -> None:
    site = Site(engines(BOTH_KINDS[0]), tmp_path)
    site.history("pass")
    heard: list[str] = []

    async def applied(sender: object, *, revision: str, **data: object) -> None:
        await trio.sleep(0.01)
        heard.append(revision)

    with revision_applied.connected_to(applied, sender=site.app):
        trio.run(site.alembic.upgrade)

    assert heard == ["a1"]


def fail(sender: object, **data: object) -> None:
    raise RuntimeError("The receiver is broken.")


async def fail_awaited(sender: object, **data: object) -> None:
    raise RuntimeError("The receiver is broken.")


async def be_cancelled(sender: object, **data: object) -> None:
    task = asyncio.ensure_future(asyncio.sleep(1))
    task.cancel()
    await task


@on_each_kind
@pytest.mark.parametrize("receiver", [fail, fail_awaited, be_cancelled])
def test_what_a_receiver_raises_stops_nothing(
    receiver: Any,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged, other receivers are called, and the migration goes on."""
    site = Site(engines(backend), tmp_path)
    site.history("pass", "pass")

    with contextlib.ExitStack() as stack:
        for signal in SIGNALS:
            stack.enter_context(signal.connected_to(receiver, sender=site.app))

        received = stack.enter_context(received_from(site.app))
        caller(site.alembic, "upgrade")

    assert caller.versions(site.engine) == ["a2"]
    assert len(received) == 6
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 6
    assert "'revision-applied'" in errors[2].getMessage()
    assert all(record.exc_info for record in errors)


@on_both_kinds
@pytest.mark.parametrize("receiver", [fail, fail_awaited, be_cancelled])
def test_a_broken_receiver_does_not_hide_the_error_of_a_revision(
    receiver: Any,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    site = Site(engines(backend), tmp_path)
    site.history("{}['colour']")

    with (
        migration_failed.connected_to(receiver, sender=site.app),
        pytest.raises(MigrationError, match="colour"),
    ):
        caller(site.alembic, "upgrade")


@on(SERVER_BACKENDS)
def test_a_failure_is_sent_though_the_connection_is_lost(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    site = Site(engines(backend), tmp_path)
    site.history("op.get_bind().exec_driver_sql(op.get_context().opts['kill'])")
    site.app.config["ALEMBIC_CONTEXT"]["kill"] = KILL[backend.database]
    heard: list[str] = []

    async def failed(sender: object, *, error: Exception, **data: object) -> None:
        await asyncio.sleep(0)
        heard.append(type(error).__name__)

    with (
        migration_failed.connected_to(failed, sender=site.app),
        pytest.raises(MigrationError),
    ):
        caller(site.alembic, "upgrade")

    assert heard == ["MigrationError"]


@on_each_kind
@awaited_only
def test_a_cancellation_reaches_a_receiver_that_is_awaited(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """And rolls the migration back, so that it can be run again."""
    site = Site(engines(backend), tmp_path)
    site.history(create_table("users"), create_table("posts"))
    outcome: list[str] = []
    waits = asyncio.Event()

    async def wait(sender: object, **data: object) -> None:
        waits.set()

        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            outcome.append("cancelled")
            raise

    async def cancel() -> None:
        task = asyncio.create_task(site.alembic.upgrade())
        await waits.wait()
        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task

    with revision_applied.connected_to(wait, sender=site.app):
        caller.run(cancel())

    assert outcome == ["cancelled"]
    caller(site.alembic, "upgrade")
    assert caller.versions(site.engine) == ["a2"]


def test_a_cancellation_reaches_a_receiver_on_trio(
    engines: EngineFactory, caller: Caller, tmp_path: Path
) -> None:
    site = Site(engines(BOTH_KINDS[0]), tmp_path)
    site.history("pass")
    waits = trio.Event()

    async def wait(sender: object, **data: object) -> None:
        waits.set()
        await trio.sleep_forever()

    async def cancel() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(site.alembic.upgrade)
            await waits.wait()
            nursery.cancel_scope.cancel()

    with revision_applied.connected_to(wait, sender=site.app):
        trio.run(cancel)

    assert caller.versions(site.engine) == []


@on_both_kinds
def test_what_is_no_exception_ends_the_migration(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """As Ctrl-C does, which hits the receiver if that runs."""
    site = Site(engines(backend), tmp_path)
    site.history("pass")

    def interrupt(sender: object, **data: object) -> None:
        raise KeyboardInterrupt

    with (
        revision_applied.connected_to(interrupt, sender=site.app),
        pytest.raises(KeyboardInterrupt),
    ):
        caller(site.alembic, "upgrade")

    assert caller.versions(site.engine) == []


@on_both_kinds
@blocking_only
def test_a_blocking_call_awaits_where_no_loop_of_the_caller_runs(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """In a loop that ends with the call, or with the receiver."""
    site = Site(engines(backend), tmp_path)
    site.history("pass")
    loops: list[asyncio.AbstractEventLoop] = []

    async def applied(sender: object, **data: object) -> None:
        loops.append(asyncio.get_running_loop())

    with revision_applied.connected_to(applied, sender=site.app):
        caller(site.alembic, "upgrade")

    assert [loop.is_closed() for loop in loops] == [True]


@on(SERVER_BACKENDS)
def test_it_is_sent_who_is_waited_for(
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(locking, "FIRST_SIGNAL", 0.2)
    first = Site(engines(backend), tmp_path / "one")
    second = Site(engines(backend, first.engine.url), tmp_path / "two")
    second.app.config["ALEMBIC_LOCK_TIMEOUT"] = 1
    first.history("pass", HOLD)
    second.history("pass", "pass")

    with (
        migrating(first),
        received_from(second.app) as received,
        pytest.raises(async_alembic.LockTimeout) as caught,
    ):
        caller(second.alembic, "upgrade")

    assert received.names == ["migrations-waiting", "migration-failed"]
    waiting, failed = (data for _, data in received)
    assert waiting["database"] == "default"
    assert waiting["holder"].pid == caught.value.holder.pid  # type: ignore[union-attr]
    assert failed["error"] is caught.value


@on_both_kinds
@awaited_only
def test_upgrades_at_once_send_what_is_theirs(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """Each app is the sender of its own, and each database is named."""
    apps = []

    for name in "one", "two", "three":
        app = make_app("quart", tmp_path / name, name)
        metadatas: Any = {"users": sa.MetaData(), "orders": sa.MetaData()}
        made: Any = {key: engines(backend) for key in metadatas}
        apps.append((app, Alembic(app, metadatas=metadatas, engines=made)))
        folder = tmp_path / name / "migrations"
        write_revision(folder, f"{name}1", args="engine_name")
        write_revision(folder, f"{name}2", f"{name}1", args="engine_name")

    async def upgrade_all() -> None:
        await asyncio.gather(
            *(
                alembic.with_options(database=database).upgrade()
                for _, alembic in apps
                for database in ("users", "orders")
            )
        )

    with contextlib.ExitStack() as stack:
        all_received = [stack.enter_context(received_from(app)) for app, _ in apps]
        caller.run(upgrade_all())

    for (app, _), received in zip(apps, all_received, strict=True):
        for database in "users", "orders":
            of_one = [
                d["revision"] for _, d in received if d.get("database") == database
            ]
            assert of_one == [f"{app.name}1"] * 2 + [f"{app.name}2"] * 2

        finished = [d["revisions"] for n, d in received if n == "migrations-finished"]
        applied = (f"{app.name}1", f"{app.name}2")
        expected: list[dict[str, tuple[str, ...]]]
        expected = [{"orders": applied}, {"users": applied}]
        assert sorted(finished, key=str) == expected


@on_both_kinds
def test_receivers_that_are_muted_or_gone_get_nothing(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """As with every signal of blinker."""
    site = Site(engines(backend), tmp_path)
    site.history("pass")

    with received_from(site.app) as received, revision_applied.muted():
        caller(site.alembic, "upgrade")

    assert "revision-applied" not in received.names
    assert "revision-started" in received.names


def test_the_signals_are_those_of_blinker() -> None:
    assert all(isinstance(signal, blinker.Signal) for signal in SIGNALS)
