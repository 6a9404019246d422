"""What stands in between does what the other tests are about."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ..conftest import require
from ..direct import execute
from ..servers import GaleraCluster
from ..servers import HAProxy
from ..servers import PgBouncer
from ..servers import Pgpool
from ..servers import PostgresServer
from ..servers import SilentRouter
from ..servers import StandbyServer

URL = "postgresql+psycopg2"
READ_AT = "SELECT inet_server_port(), count(*) FROM log GROUP BY 1"


@pytest.fixture
def url(postgres_server: PostgresServer) -> sa.URL:
    return postgres_server.url(URL, "postgres")


def test_haproxy_cuts_also_a_session_that_is_busy(
    postgres_server: PostgresServer, url: sa.URL
) -> None:
    require(HAProxy.missing())

    with HAProxy(postgres_server, timeout=0.5) as proxy:
        assert execute(proxy.url(url), "SELECT 1") == [(1,)]

        with pytest.raises(DBAPIError, match="closed the connection"):
            execute(proxy.url(url), "SELECT pg_sleep(1.5)")


def test_a_router_that_forgets_tells_nobody(
    postgres_server: PostgresServer, url: sa.URL
) -> None:
    with SilentRouter(postgres_server, idle=0.2) as router:
        engine = sa.create_engine(router.url(url), poolclass=sa.NullPool)
        connection = engine.connect()
        pid = connection.scalar(sa.text("SELECT pg_backend_pid()"))
        time.sleep(0.3)
        assert router.forgotten == 1
        # The driver believes that it has said goodbye.
        connection.invalidate()
        connection.close()
        session = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
        time.sleep(0.1)
        assert postgres_server.execute(session, pid) == [(1,)]
        assert execute(router.url(url), "SELECT 1") == [(1,)]


@pytest.mark.full
@pytest.mark.xdist_group("pgpool")
def test_pgpool_reads_on_a_standby_that_is_behind(
    pgpool: Pgpool, standby: StandbyServer, new_database: sa.URL
) -> None:
    through = pgpool.url(new_database)
    execute(through, "CREATE TABLE log (id INT)")
    standby.catch_up()
    execute(through, "INSERT INTO log VALUES (1)")
    rows = {tuple(execute(through, READ_AT)) for _ in range(20)}
    # The primary has the row, the standby has not.
    assert rows == {((new_database.port, 1),), ()}
    standby.catch_up()
    ports = {execute(through, READ_AT)[0][0] for _ in range(20)}
    assert ports == {new_database.port, standby.port}


@pytest.mark.full
@pytest.mark.xdist_group("galera")
def test_what_one_node_of_a_cluster_does_is_seen_on_all(galera: GaleraCluster) -> None:
    first, *others = galera.nodes
    first.create_database("test_seen")
    sizes = [node.execute("SHOW STATUS LIKE 'wsrep_cluster_size'") for node in others]
    assert sizes == [[("wsrep_cluster_size", "3")]] * 2
    galera.catch_up()
    assert all("test_seen" in node.database_names() for node in others)


@pytest.mark.parametrize("proxy", [HAProxy, PgBouncer], ids=lambda proxy: proxy.label)
def test_a_killed_test_run_leaves_no_proxy_behind(
    proxy: type[HAProxy | PgBouncer], postgres_server: PostgresServer
) -> None:
    require(proxy.missing())
    args = ", 'session'" if proxy is PgBouncer else ""
    script = f"""
import time
from types import SimpleNamespace
from {__package__.rpartition(".")[0]}.servers import {proxy.__name__}
server = SimpleNamespace(host="127.0.0.1", port={postgres_server.port})
proxy = {proxy.__name__}(server{args})
proxy.start()
print(proxy.directory, flush=True)
time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        directory = Path(run.stdout.readline().strip())
        assert directory.exists()
        run.kill()

    deadline = time.monotonic() + 20

    while directory.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
