from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from uuid import uuid4

import pytest
import sqlalchemy as sa

from ..conftest import require
from ..racing import RaceZygote
from ..servers import GaleraCluster
from ..servers import Pgpool
from ..servers import PrimaryServer
from ..servers import StandbyServer

#: By how many seconds the standby is behind.
BEHIND = 4


@pytest.fixture(scope="package")
def zygote() -> Iterator[RaceZygote]:
    with RaceZygote() as zygote:
        yield zygote


@pytest.fixture(scope="package")
def primary() -> Iterator[PrimaryServer]:
    require(PrimaryServer.missing())

    with PrimaryServer() as primary:
        yield primary


@pytest.fixture(scope="package")
def standby(primary: PrimaryServer) -> Iterator[StandbyServer]:
    with StandbyServer(primary, BEHIND) as standby:
        yield standby


@pytest.fixture(scope="package")
def standby_in_step(primary: PrimaryServer) -> Iterator[StandbyServer]:
    with StandbyServer(primary) as standby:
        yield standby


@pytest.fixture(scope="package")
def pgpool(primary: PrimaryServer, standby: StandbyServer) -> Iterator[Pgpool]:
    require(Pgpool.missing())

    with Pgpool(primary, standby) as pgpool:
        yield pgpool


@pytest.fixture(scope="package")
def galera() -> Iterator[GaleraCluster]:
    require(GaleraCluster.missing())

    with GaleraCluster() as cluster:
        yield cluster


@pytest.fixture
def new_databases(
    primary: PrimaryServer, standby: StandbyServer
) -> Callable[[int], list[sa.URL]]:
    """Makes databases that the standby has, too: Pgpool needs each on all servers.

    They go with the servers.
    """

    def make(count: int) -> list[sa.URL]:
        names = [f"test_{uuid4().hex}" for _ in range(count)]

        for name in names:
            primary.create_database(name)

        standby.catch_up()
        return [primary.url("postgresql+psycopg2", name) for name in names]

    return make


@pytest.fixture
def new_database(new_databases: Callable[[int], list[sa.URL]]) -> sa.URL:
    (url,) = new_databases(1)
    return url
