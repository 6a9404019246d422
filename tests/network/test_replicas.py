"""Standbys that are behind: what decides a migration must be read on the primary."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from async_alembic import AsyncAlembicError

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..backends import POSTGRESQL_BACKENDS
from ..direct import execute
from ..harness import Caller
from ..harness import create_table
from ..harness import ids
from ..harness import write_revision
from ..migration.sites import Site
from ..racing import RaceZygote
from ..racing import read_journal
from ..racing import REVISIONS
from ..racing import write_history
from ..servers import Pgpool
from ..servers import PrimaryServer
from ..servers import StandbyServer
from .sites import ROUNDS
from .sites import url_of

# One set of servers is enough.
pytestmark = pytest.mark.xdist_group("pgpool")

on_two_drivers = on([by_id("postgresql-psycopg2"), by_id("postgresql-asyncpg")])
NewDatabases = Callable[[int], list[sa.URL]]


@on_two_drivers
@pytest.mark.parametrize(
    ("at", "rounds"),
    [
        ("b1", 2),
        pytest.param("b1", ROUNDS, marks=pytest.mark.full),
        pytest.param("nothing", ROUNDS, marks=pytest.mark.full),
    ],
)
def test_six_workers_migrate_once_though_a_standby_is_behind(
    at: str,
    rounds: int,
    backend: Backend,
    pgpool: Pgpool,
    standby: StandbyServer,
    new_databases: NewDatabases,
    zygote: RaceZygote,
    tmp_path: Path,
) -> None:
    """Pgpool lets half of them read there."""
    write_history(tmp_path / "all")
    write_history(tmp_path / "first")

    for revision in REVISIONS[1:]:
        (tmp_path / "first/migrations" / f"{revision}.py").unlink()

    urls = new_databases(rounds)
    done = []

    if at != "nothing":
        for url in urls:
            assert zygote.race(tmp_path / "first", url, 1).applied == [at]

        standby.catch_up()
        done.append(at)

    for url in urls:
        race = zygote.race(tmp_path / "all", url_of(backend, pgpool.url(url)), 6)
        assert race.errors == []
        assert done + race.applied == read_journal(url) == REVISIONS
        again = zygote.race(tmp_path / "all", url_of(backend, pgpool.url(url)), 6)
        assert again.errors == again.applied == []


@pytest.mark.full
@on_two_drivers
def test_what_was_just_downgraded_is_upgraded_again(
    backend: Backend,
    pgpool: Pgpool,
    standby: StandbyServer,
    new_database: sa.URL,
    engines: EngineFactory,
    caller: Caller,
    tmp_path: Path,
) -> None:
    """The standby still says that there is nothing to do."""
    url = pgpool.url(new_database).set(drivername=backend.drivername)
    site = Site(engines(backend, url, poolclass=sa.NullPool), tmp_path)
    after = None

    for revision in "a1", "a2":
        drop = f"op.drop_table('log_{revision}')"
        create = create_table(f"log_{revision}")
        write_revision(site.migrations, revision, after, create, drop)
        after = revision

    versions = "SELECT version_num FROM alembic_version"

    for _ in range(5):
        assert ids(caller(site.alembic, "upgrade")) == ["a1", "a2"]
        assert execute(new_database, versions) == [("a2",)]
        assert ids(caller(site.alembic, "downgrade", "base")) == ["a2", "a1"]
        assert execute(new_database, versions) == []


@pytest.fixture
def replica(
    backend: Backend,
    primary: PrimaryServer,
    standby_in_step: StandbyServer,
    engines: EngineFactory,
    tmp_path: Path,
) -> Site:
    """An app that is connected to a standby, whose database is at head."""
    name = f"test_{uuid4().hex}"
    primary.create_database(name)
    history = tmp_path / "history"
    first, second = (
        Site(engines(backend, url, poolclass=sa.NullPool), history)
        for url in (
            primary.url(backend.drivername, name),
            standby_in_step.url(backend.drivername, name),
        )
    )
    first.history(create_table("users"))
    first.alembic.sync.upgrade()
    standby_in_step.catch_up()
    return second


@on(POSTGRESQL_BACKENDS)
def test_a_replica_that_is_at_head_can_be_read(replica: Site, caller: Caller) -> None:
    """An app may start there, and be asked whether it is up to date."""
    assert caller(replica.alembic, "upgrade") == []
    assert ids(caller(replica.alembic, "current")) == ["a1"]
    assert not caller(replica.alembic, "needs_upgrade")
    assert caller(replica.alembic, "status")["default"].state == "current"


@on(POSTGRESQL_BACKENDS)
def test_a_replica_is_told_apart_from_a_database_that_refuses(
    replica: Site, caller: Caller
) -> None:
    """Neither the revision nor the data are wrong, but the address is."""
    replica.history(create_table("users"), create_table("orders"))
    assert caller(replica.alembic, "needs_upgrade")
    assert ids(caller(replica.alembic, "current")) == ["a1"]

    with pytest.raises(AsyncAlembicError, match="(?s)replica.*primary"):
        caller(replica.alembic, "upgrade")
