"""Where databases stand, and waiting until they are current."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic import DatabaseError
from async_alembic import DatabaseStatus
from async_alembic import UnknownRevisionInDatabaseError
from async_alembic import WaitTimeoutError
from async_alembic.commands.waiting import Position
from async_alembic.commands.waiting import Waiting

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..backends import on_all_backends
from ..harness import AnyEngine
from ..harness import Caller
from ..harness import create_table
from ..harness import make_app
from ..harness import write_revision
from ..projects import names
from ..projects import Project

#: Those that a second process, here a second engine, can change meanwhile.
on_some_backends = on(
    [
        by_id("sqlite-sqlite3"),
        by_id("sqlite-aiosqlite"),
        by_id("postgresql-psycopg2"),
        by_id("postgresql-asyncpg"),
        by_id("mariadb-asyncmy"),
    ]
)


def write_line(folder: Path, *revisions: str) -> None:
    after = None

    for revision in revisions:
        write_revision(folder, revision, after)
        after = revision


def set_versions(caller: Caller, engine: AnyEngine, *versions: str) -> None:
    caller.execute(engine, "DELETE FROM alembic_version")

    for version in versions:
        caller.execute(engine, f"INSERT INTO alembic_version VALUES ('{version}')")


@on([by_id("sqlite-memory-sqlite3"), by_id("sqlite-memory-aiosqlite")])
def test_waiting_ends_where_a_database_refuses(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """It would refuse for ever."""
    project = Project(tmp_path, engines, backend=backend)
    write_line(project.folder, "a1")
    caller.execute(project.engine, "CREATE TABLE alembic_version (other INTEGER)")

    with pytest.raises(DatabaseError, match="version_num"):
        caller(project.alembic, "wait_until_current", 60)


def standing(status: DatabaseStatus) -> tuple[str, list[str], list[str], list[str]]:
    return (
        status.state,
        sorted(status.current),
        sorted(status.unknown),
        names(status.pending),
    )


@on_all_backends
def test_a_database_is_in_one_of_five_states(
    backend: Backend, tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(tmp_path, engines, backend=backend)
    alembic = project.alembic

    def look() -> DatabaseStatus:
        status = caller(alembic, "status")
        assert [*status] == ["default"]
        found: DatabaseStatus = status["default"]
        assert sorted(found.heads) == sorted(names(caller(alembic, "heads")))
        return found

    # Without a history there is nothing to do.
    assert standing(look()) == ("current", [], [], [])
    assert not caller(alembic, "needs_upgrade")

    write_line(project.folder, "aaaa", "bbbb", "cccc")
    write_revision(project.folder, "dddd")
    status = look()
    assert (status.state, status.current, status.unknown) == ("empty", (), ())
    pending = names(status.pending)
    assert caller(alembic, "needs_upgrade")

    # To look has changed nothing.
    tables = caller.begin(project.engine, lambda c: sa.inspect(c).get_table_names())
    assert tables == []

    caller(alembic, "upgrade", "bbbb")
    assert standing(look())[:3] == ("behind", ["bbbb"], [])
    assert {*names(look().pending)} == {"cccc", "dddd"}
    assert caller(alembic, "needs_upgrade")

    caller(alembic, "downgrade", "base")
    assert standing(look()) == ("empty", [], [], pending)

    assert names(caller(alembic, "upgrade")) == pending
    assert standing(look()) == ("current", ["cccc", "dddd"], [], [])
    assert not caller(alembic, "needs_upgrade")

    # What is pending then, only the newer code knows.
    set_versions(caller, project.engine, "eeee")
    assert standing(look()) == ("ahead", ["eeee"], ["eeee"], [])

    set_versions(caller, project.engine, "cccc", "dddd", "eeee")
    assert standing(look()) == ("ahead", ["cccc", "dddd", "eeee"], ["eeee"], [])

    set_versions(caller, project.engine, "bbbb", "eeee")
    assert standing(look())[:3] == ("diverged", ["bbbb", "eeee"], ["eeee"])
    assert {*names(look().pending)} == {"cccc", "dddd"}

    for method in "needs_upgrade", "current", "upgrade", "downgrade":
        with pytest.raises(UnknownRevisionInDatabaseError, match="eeee") as caught:
            caller(alembic, method)

        assert caught.value.database == "default"
        assert caught.value.revisions == ("eeee",)

    # Older code can serve where nothing of its own is pending.
    with pytest.raises(UnknownRevisionInDatabaseError):
        caller(alembic, "wait_until_current", 0.1, allow_ahead=True)

    set_versions(caller, project.engine, "eeee")
    caller(alembic, "wait_until_current", 0.1, allow_ahead=True)

    with pytest.raises(UnknownRevisionInDatabaseError):
        caller(alembic, "wait_until_current", 0.1)


def test_pending_are_in_the_order_of_an_upgrade(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(tmp_path, engines)
    write_line(project.folder, "zzzz", "yyyy")
    write_revision(project.folder, "aaaa", "yyyy")
    write_revision(project.folder, "bbbb", "yyyy")
    write_revision(project.folder, "mmmm", ("aaaa", "bbbb"))
    write_revision(project.folder, "cccc", depends_on="mmmm")
    pending = names(caller(project.alembic, "status")["default"].pending)
    assert pending[:2] == ["zzzz", "yyyy"]
    assert pending[-2:] == ["mmmm", "cccc"]
    assert names(caller(project.alembic, "upgrade")) == pending


def test_each_of_several_databases_has_its_own_status(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(
        tmp_path,
        engines,
        metadatas={name: sa.MetaData() for name in ("default", "log", "cache")},
    )
    write_revision(project.folder, "aaaa", args="engine_name")
    write_revision(project.folder, "bbbb", "aaaa", args="engine_name")
    caller(project.alembic, "upgrade")
    set_versions(caller, project.engines["log"], "aaaa")
    set_versions(caller, project.engines["cache"])
    status = caller(project.alembic, "status")
    assert {name: found.state for name, found in status.items()} == {
        "default": "current",
        "log": "behind",
        "cache": "empty",
    }
    assert names(status["cache"].pending) == ["aaaa", "bbbb"]
    assert caller(project.alembic, "needs_upgrade")

    with pytest.raises(WaitTimeoutError) as caught:
        caller(project.alembic, "wait_until_current", 0)

    assert caught.value.states == {"log": "behind", "cache": "empty"}
    assert "'log' is behind" in str(caught.value)
    assert "'cache' is empty" in str(caught.value)


@pytest.mark.parametrize(
    ("at", "log", "expected"),
    [
        ("base", ("current",), ["cccc", "bbbb", "aaaa"]),
        ("base", ("base", "current"), []),
        ("bbbb", ("current",), ["cccc", "bbbb"]),
        ("bbbb", ("base", "current"), ["bbbb", "aaaa"]),
        ("bbbb", ("current", "current"), ["bbbb"]),
        ("bbbb", (["current"], ["heads"]), ["cccc", "bbbb"]),
        ("cccc", ("bbbb", "current"), ["cccc", "bbbb"]),
        ("cccc", ("current",), ["cccc"]),
    ],
)
def test_the_log_can_start_or_end_where_the_database_is(
    at: str,
    log: tuple[Any, ...],
    expected: list[str],
    tmp_path: Path,
    engines: EngineFactory,
    caller: Caller,
) -> None:
    project = Project(tmp_path, engines)
    write_line(project.folder, "aaaa", "bbbb", "cccc")
    caller(project.alembic, "stamp", at)
    assert names(caller(project.alembic, "log", *log)) == expected


def test_the_log_ends_where_any_of_several_databases_is(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(
        tmp_path, engines, metadatas={"default": sa.MetaData(), "log": sa.MetaData()}
    )
    write_revision(project.folder, "aaaa", args="engine_name")
    write_revision(project.folder, "bbbb", args="engine_name")
    caller(project.alembic, "upgrade")
    set_versions(caller, project.engines["default"], "aaaa")
    set_versions(caller, project.engines["log"], "bbbb")
    log = caller(project.alembic, "log", end="current")
    assert sorted(names(log)) == ["aaaa", "bbbb"]
    assert sorted(names(caller(project.alembic, "current"))) == ["aaaa", "bbbb"]


class TestDependencies:
    """Alembic keeps a head out of the version table if another depends on it."""

    @pytest.fixture
    def project(self, tmp_path: Path, engines: EngineFactory) -> Project:
        project = Project(tmp_path, engines)
        write_line(project.folder, "aaaa", "bbbb")
        write_revision(project.folder, "cccc", labels=["users"])
        write_revision(project.folder, "dddd", "cccc", depends_on="bbbb")
        return project

    def test_a_database_at_head_needs_no_upgrade(
        self, project: Project, caller: Caller
    ) -> None:
        applied = names(caller(project.alembic, "upgrade"))
        assert {*applied} == {"aaaa", "bbbb", "cccc", "dddd"}
        assert caller.versions(project.engine) == ["dddd"]
        assert not caller(project.alembic, "needs_upgrade")
        status = caller(project.alembic, "status")["default"]
        assert standing(status) == ("current", ["dddd"], [], [])
        assert sorted(status.heads) == ["bbbb", "dddd"]
        assert caller(project.alembic, "upgrade") == []
        assert caller(project.alembic, "revision", "nothing") == []
        caller(project.alembic, "wait_until_current", 0)

    def test_one_before_it_does(self, project: Project, caller: Caller) -> None:
        caller(project.alembic, "upgrade", "cccc")
        assert caller(project.alembic, "needs_upgrade")
        status = caller(project.alembic, "status")["default"]
        assert standing(status)[:3] == ("behind", ["cccc"], [])
        assert names(status.pending) == ["aaaa", "bbbb", "dddd"]

    def test_a_new_revision_of_what_is_depended_on_is_pending(
        self, project: Project, caller: Caller
    ) -> None:
        caller(project.alembic, "upgrade")
        write_revision(project.folder, "eeee", "bbbb")
        status = caller(project.alembic, "status")["default"]
        assert standing(status) == ("behind", ["dddd"], [], ["eeee"])
        assert names(caller(project.alembic, "upgrade")) == ["eeee"]
        assert not caller(project.alembic, "needs_upgrade")

    def test_heads_can_be_told_with_and_without_them(
        self, project: Project, caller: Caller
    ) -> None:
        assert {*names(caller(project.alembic, "heads"))} == {"bbbb", "dddd"}
        assert names(caller(project.alembic, "heads", True)) == ["dddd"]


class TestWaiting:
    @pytest.fixture
    def project(
        self, backend: Backend, tmp_path: Path, engines: EngineFactory
    ) -> Project:
        project = Project(tmp_path, engines, backend=backend)
        write_revision(project.folder, "aaaa", upgrade=create_table("users"))
        return project

    def migrator(
        self, project: Project, engines: EngineFactory, backend: Backend
    ) -> Alembic:
        """What another process would have, for the same database."""
        return Alembic(
            project.app,
            metadatas=sa.MetaData(),
            engines=engines(backend, project.engine.url),
            command_name="",
        )

    @on_some_backends
    def test_it_ends_when_another_one_has_migrated(
        self, project: Project, backend: Backend, engines: EngineFactory, caller: Caller
    ) -> None:
        migrator = self.migrator(project, engines, backend)

        async def wait_and_migrate() -> bool:
            waiting = asyncio.create_task(project.alembic.wait_until_current(30))
            await asyncio.sleep(0.2)
            early = waiting.done()
            await migrator.upgrade()
            await waiting
            return early

        if caller.awaited:
            assert not caller.run(wait_and_migrate())
        else:
            with concurrent.futures.ThreadPoolExecutor() as executor:
                waiting = executor.submit(project.alembic.sync.wait_until_current, 30)
                time.sleep(0.2)
                assert not waiting.done()
                migrator.sync.upgrade()
                waiting.result()

        assert not caller(project.alembic, "needs_upgrade")

    @on([by_id("postgresql-psycopg2"), by_id("mariadb-pymysql")])
    def test_a_migration_that_is_not_committed_is_not_taken_for_done(
        self, project: Project, caller: Caller
    ) -> None:
        caller(project.alembic, "upgrade")
        caller(project.alembic, "downgrade")
        assert isinstance(project.engine, sa.Engine)

        with project.engine.begin() as migrating:
            migrating.exec_driver_sql("INSERT INTO alembic_version VALUES ('aaaa')")

            with pytest.raises(WaitTimeoutError):
                caller(project.alembic, "wait_until_current", 0.2)

        caller(project.alembic, "wait_until_current", 0)

    @on([by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")])
    def test_a_database_that_cannot_be_read_meanwhile_is_waited_for(
        self, backend: Backend, engines: EngineFactory, caller: Caller, tmp_path: Path
    ) -> None:
        """A large migration of SQLite locks readers out."""
        engine = engines(backend, connect_args={"timeout": 0.05})
        # The extension keeps no reference to it.
        app = make_app("flask", tmp_path)
        alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)
        write_revision(tmp_path / "migrations", "aaaa", upgrade=create_table("users"))
        caller(alembic, "upgrade")
        assert engine.url.database is not None

        with contextlib.closing(sqlite3.connect(engine.url.database)) as migrating:
            migrating.execute("BEGIN EXCLUSIVE")

            with pytest.raises(WaitTimeoutError, match="'default' is locked"):
                caller(alembic, "wait_until_current", 0.3)

            with pytest.raises(DatabaseError, match="locked"):
                caller(alembic, "status")

        caller(alembic, "wait_until_current", 0)

    @on([by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")])
    @pytest.mark.parametrize("timeout", [0, 0.3, -1])
    def test_it_ends_when_the_time_is_over(
        self, project: Project, caller: Caller, timeout: float
    ) -> None:
        started = time.monotonic()

        with pytest.raises(TimeoutError) as caught:
            caller(project.alembic, "wait_until_current", timeout)

        assert max(timeout, 0) <= time.monotonic() - started < timeout + 5
        assert isinstance(caught.value, WaitTimeoutError)
        assert caught.value.timeout == timeout
        assert caught.value.states == {"default": "empty"}

    @on([by_id("sqlite-memory-sqlite3"), by_id("sqlite-memory-aiosqlite")])
    @pytest.mark.parametrize("timeout", [None, 0, 60])
    def test_it_ends_at_once_if_the_database_is_current(
        self, project: Project, caller: Caller, timeout: float | None
    ) -> None:
        caller(project.alembic, "upgrade")
        assert caller(project.alembic, "wait_until_current", timeout) is None

    @on([by_id("sqlite-memory-sqlite3"), by_id("sqlite-memory-aiosqlite")])
    @pytest.mark.parametrize("versions", [["bbbb"], ["aaaa", "bbbb"]])
    @pytest.mark.parametrize("timeout", [None, 0, 60])
    def test_it_fails_at_once_if_no_waiting_helps(
        self,
        project: Project,
        caller: Caller,
        versions: list[str],
        timeout: float | None,
    ) -> None:
        """The database belongs to newer code, which will not go back."""
        caller(project.alembic, "upgrade")
        set_versions(caller, project.engine, *versions)

        with pytest.raises(UnknownRevisionInDatabaseError, match="bbbb"):
            caller(project.alembic, "wait_until_current", timeout)

    @on([by_id("sqlite-aiosqlite"), by_id("postgresql-asyncpg")])
    def test_it_can_be_cancelled(
        self, project: Project, runner: asyncio.Runner
    ) -> None:
        async def main() -> None:
            with pytest.raises(TimeoutError) as caught:
                await asyncio.wait_for(project.alembic.wait_until_current(), 0.2)

            assert not isinstance(caught.value, WaitTimeoutError)
            assert [s.revision for s in await project.alembic.upgrade()] == ["aaaa"]

        runner.run(main())

    @on([by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")])
    def test_other_tasks_run_meanwhile(
        self, project: Project, runner: asyncio.Runner
    ) -> None:
        async def main() -> int:
            ticks = 0
            waiting = asyncio.create_task(project.alembic.wait_until_current(0.5))

            while not waiting.done():
                await asyncio.sleep(0.01)
                ticks += 1

            assert isinstance(waiting.exception(), WaitTimeoutError)
            return ticks

        assert runner.run(main()) > 15

    def test_it_looks_less_often_as_time_goes_on(self) -> None:
        """A fleet that waits for minutes must not load the database by that."""
        behind = {"default": Position("behind", ("a",), (), False)}
        waiting = Waiting(None)
        delays = [waiting.next_delay(behind) for _ in range(8)]
        assert delays == [0.05, 0.1, 0.2, 0.4, 0.8, 1, 1, 1]
        limited = Waiting(0.08)
        assert limited.next_delay(behind) == 0.05
        delay = limited.next_delay(behind)
        assert delay is not None and 0 < delay <= 0.08
        current = {"default": Position("current", ("b",), (), True)}
        assert limited.next_delay(current) is None
