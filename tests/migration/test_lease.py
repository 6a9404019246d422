"""The lease, where a database has no lock that all of its servers share."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from async_alembic import AsyncAlembicError
from async_alembic import LockLostError
from async_alembic import LockTimeout
from async_alembic import LockUnavailableError
from async_alembic.migration import lease

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..direct import execute
from ..harness import Caller
from ..harness import ids
from .sites import HOLD
from .sites import in_a_thread
from .sites import INSERT
from .sites import LOG
from .sites import migrating
from .sites import on_servers
from .sites import Site
from .sites import wait_until

LEASE = "SELECT owner, beats FROM alembic_version_lease"


@pytest.fixture
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "BEAT_INTERVAL", 0.1)
    monkeypatch.setattr(lease, "TIME_TO_LIVE", 1.0)
    monkeypatch.setattr(lease, "MARGIN", 0.2)


def lease_site(
    backend: Backend, engines: EngineFactory, root: Path, url: sa.URL | None = None
) -> Site:
    return Site(engines(backend, url), root, ALEMBIC_LOCK="lease")


@on_servers
def test_who_has_no_lease_waits_and_finds_nothing_to_do(
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    short_times: None,
    tmp_path: Path,
) -> None:
    """However long it takes: the owner renews it, also while it blocks the loop."""
    first = lease_site(backend, engines, tmp_path / "one")
    second = lease_site(backend, engines, tmp_path / "two", first.engine.url)
    first.history(LOG, HOLD)
    second.history(LOG, "pass")

    with migrating(first), in_a_thread(lambda: caller(second.alembic, "upgrade")) as up:
        [(owner, beats)] = execute(first.engine.url, LEASE)
        wait_until(lambda: execute(first.engine.url, LEASE)[0][1] > beats + 12)
        assert execute(first.engine.url, LEASE)[0][0] == owner
        assert not up.done()
        first.go_on.set()

    assert up.result() == []
    assert execute(first.engine.url, LEASE) == []


@on_servers
def test_a_lease_that_nobody_renews_is_taken_over(
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    short_times: None,
    tmp_path: Path,
) -> None:
    """As of a process that was killed. It says who that was."""
    site = lease_site(backend, engines, tmp_path)
    site.history(LOG)
    caller(site.alembic, "upgrade")
    site.history(LOG, "pass")
    insert = (
        "INSERT INTO alembic_version_lease"
        " VALUES (1, 'x', 'web-1', 42, '2026-11-28 10:00:00', '2026-11-28 10:00:00', 7)"
    )
    execute(site.engine.url, insert)
    site.app.config["ALEMBIC_LOCK_TIMEOUT"] = 0.2

    with pytest.raises(LockTimeout, match="pid 42, from web-1, since 2026-11-28 10:00"):
        caller(site.alembic, "upgrade")

    site.app.config["ALEMBIC_LOCK_TIMEOUT"] = 30
    assert ids(caller(site.alembic, "upgrade")) == ["a2"]


@on_servers
def test_a_lease_outlives_a_renewal_that_fails(
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    short_times: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The server may be busy, or a connection lost. The next renewal is in time."""
    site = lease_site(backend, engines, tmp_path)
    site.history(LOG, HOLD)
    beat, calls = lease.Lease._beat, itertools.count()

    def fail_twice(self: lease.Lease, connection: sa.Connection) -> None:
        # Without the first one, the lease is refused.
        if next(calls) in {1, 2}:
            raise OSError

        beat(self, connection)

    monkeypatch.setattr(lease.Lease, "_beat", fail_twice)

    with migrating(site) as up:
        [(_, beats)] = execute(site.engine.url, LEASE)
        wait_until(lambda: execute(site.engine.url, LEASE)[0][1] > beats + 3)
        site.go_on.set()

    assert ids(up.result()) == ["a1", "a2"]


@on_servers
def test_who_has_lost_its_lease_commits_nothing_more(
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    short_times: None,
    tmp_path: Path,
) -> None:
    site = lease_site(backend, engines, tmp_path)
    site.history(LOG, INSERT.format(1) + HOLD + INSERT.format(2))

    def lose() -> None:
        assert site.running.wait(30)
        execute(site.engine.url, "UPDATE alembic_version_lease SET owner = 'x'")
        threading.Event().wait(0.5)
        site.go_on.set()

    with in_a_thread(lose), pytest.raises(LockLostError, match="'default'.* lease"):
        caller(site.alembic, "upgrade")

    is_atomic = backend.database == "postgresql"
    assert caller.versions(site.engine) == ([] if is_atomic else ["a1"])
    assert not is_atomic or caller.tables(site.engine) == set()
    assert [owner for owner, _ in execute(site.engine.url, LEASE)] == ["x"]


@on([by_id("postgresql-psycopg2"), by_id("postgresql-asyncpg")])
def test_a_lease_ends_with_the_connection_of_its_owner(
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    short_times: None,
    tmp_path: Path,
) -> None:
    """Nothing renews it any more, so others can take it over."""
    site = lease_site(backend, engines, tmp_path)
    threads = {*threading.enumerate()}
    site.history(LOG, "op.execute('SELECT pg_terminate_backend(pg_backend_pid())')")

    with pytest.raises(AsyncAlembicError, match="the connection was lost"):
        caller(site.alembic, "upgrade")

    left = {*threading.enumerate()} - threads
    assert not [thread for thread in left if "repeat" in thread.name]
    site.history(LOG, "pass")
    assert ids(caller(site.alembic, "upgrade")) == ["a1", "a2"]


@on([by_id("postgresql-psycopg2"), by_id("mariadb-asyncmy")])
def test_a_lease_that_cannot_be_written_is_refused(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    site = lease_site(backend, engines, tmp_path)
    site.history(LOG)
    execute(site.engine.url, "CREATE TABLE alembic_version_lease (id INT)")

    with pytest.raises(LockUnavailableError, match="alembic_version_lease|owner"):
        caller(site.alembic, "upgrade")

    assert caller.tables(site.engine) == set()
