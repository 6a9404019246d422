"""A migration that takes longer than a connection may be idle, and others that wait."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic.running import direct
from async_alembic.running import greenlets

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..conftest import require
from ..direct import execute
from ..harness import create_table
from ..harness import ids
from ..harness import make_app
from ..harness import write_revision
from ..migration.sites import INSERT
from ..migration.sites import LOG
from ..migration.sites import migrating
from ..migration.sites import on_postgresql
from ..migration.sites import on_servers
from ..migration.sites import Site
from ..servers import HAProxy
from ..servers import MariaDBServer
from ..servers import Server
from ..servers import SilentRouter

# The servers end them, or see their end with a delay.
pytestmark = [pytest.mark.leaves_connections, pytest.mark.full]

#: In seconds. Who waits asks at least once a second.
LIMIT = 2
#: Together they take longer.
STEPS = 6
SLEEP = {"postgresql": "SELECT pg_sleep(0.5)", "mariadb": "SELECT SLEEP(0.5)"}


def upgrade_with_waiters(
    backend: Backend, engines: EngineFactory, url: sa.URL, root: Path
) -> None:
    """Upgrade with four apps at once, and check that each revision ran once."""
    sites = [Site(engines(backend, url), root / f"app{number}") for number in range(4)]
    sleep = f"op.execute({SLEEP[backend.database]!r})\n"
    numbers = range(1, STEPS + 1)

    for site in sites:
        site.history(LOG, *(sleep + INSERT.format(number) for number in numbers))

    with ThreadPoolExecutor() as executor:
        applied = list(executor.map(lambda s: ids(s.alembic.sync.upgrade()), sites))

    everything = [f"a{number}" for number in range(1, STEPS + 2)]
    assert sorted(itertools.chain(*applied)) == everything
    rows = execute(url, "SELECT id FROM log ORDER BY id")
    assert rows == [(number,) for number in numbers]


@pytest.fixture
def server(backend: Backend, request: pytest.FixtureRequest) -> Server:
    fixture = (
        "postgres_server" if backend.database == "postgresql" else "mariadb_server"
    )
    server: Server = request.getfixturevalue(fixture)
    return server


@on_servers
@pytest.mark.parametrize("kind", [HAProxy, SilentRouter], ids=["HAProxy", "router"])
def test_what_is_idle_is_cut_in_between(
    kind: type[HAProxy | SilentRouter],
    backend: Backend,
    server: Server,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    require(kind.missing())
    url = engines(backend).url

    with kind(server, LIMIT) as between:
        upgrade_with_waiters(backend, engines, between.url(url), tmp_path)


@on_postgresql
@pytest.mark.parametrize(
    "setting", ["idle_session_timeout", "idle_in_transaction_session_timeout"]
)
def test_postgresql_ends_what_is_idle(
    setting: str, backend: Backend, engines: EngineFactory, tmp_path: Path
) -> None:
    url = engines(backend).url
    execute(url, f"ALTER DATABASE \"{url.database}\" SET {setting} = '{LIMIT}s'")
    upgrade_with_waiters(backend, engines, url, tmp_path)


@pytest.fixture(scope="module")
def own_mariadb() -> Iterator[MariaDBServer]:
    require(MariaDBServer.missing())

    with MariaDBServer() as server:
        server.execute(f"SET GLOBAL wait_timeout = {LIMIT}")
        server.execute(f"SET GLOBAL idle_transaction_timeout = {LIMIT}")
        yield server


@on([by_id("mariadb-pymysql"), by_id("mariadb-asyncmy"), by_id("mariadb-aiomysql")])
def test_mariadb_ends_what_is_idle(
    backend: Backend,
    own_mariadb: MariaDBServer,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    name = f"test_{backend.driver}"
    own_mariadb.create_database(name)
    url = own_mariadb.url(backend.drivername, name)
    upgrade_with_waiters(backend, engines, url, tmp_path)


class Pair:
    """An app with two databases, the second of which is migrated for long.

    :param upgrade: The second one's revision.
    """

    def __init__(self, engines: dict[str, Any], root: Path, upgrade: str) -> None:
        self.app = make_app("flask", root, ALEMBIC_LOCK_TIMEOUT=30)
        metadatas: Any = {name: sa.MetaData() for name in engines}
        self.alembic = Alembic(self.app, metadatas=metadatas, engines=engines)
        first = create_table("log")
        body = f"if engine_name == 'default':\n    {first}\nelse:\n    {upgrade}"
        write_revision(root / "migrations", "a1", None, body, args="engine_name")


@on_servers
@pytest.mark.parametrize("waits", [False, True], ids=["migrated", "waited for"])
def test_one_database_is_kept_alive_while_another_one_is(
    waits: bool,
    backend: Backend,
    server: Server,
    engines: EngineFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its transaction stays open until all can be committed."""
    require(HAProxy.missing())

    for module in direct, greenlets:
        monkeypatch.setattr(module, "KEEPALIVE_INTERVAL", 0.4)

    urls = [engines(backend).url, engines(backend).url]
    sleep = SLEEP[backend.database].replace("0.5", "2.5")

    with HAProxy(server, 1.5) as proxy:
        # The second one answers at the end of its statement only.
        through = {
            "default": engines(backend, proxy.url(urls[0])),
            "other": engines(backend, urls[1]),
        }
        upgrade = "pass" if waits else f"op.execute({sleep!r})"
        pair = Pair(through, tmp_path / "pair", upgrade)

        if not waits:
            assert ids(pair.alembic.sync.upgrade()) == ["a1"]
            return

        site = Site(engines(backend, urls[1]), tmp_path / "other")
        hold = "opts = op.get_context().opts\nopts['running'].set()\n"
        site.history("pass", f"{hold}op.execute({sleep!r})")
        site.alembic.sync.upgrade("a1")

        with migrating(site):
            assert ids(pair.alembic.sync.upgrade()) == ["a1"]
