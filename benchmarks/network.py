"""What becomes of an upgrade through what stands between the app and the server: idle
timeouts, proxies, poolers, replicas and clusters. A table in Markdown.

Run it with ``python -m benchmarks.network``, and with ``--src PATH`` for the source of
another version of this package. In each cell, processes boot at the same moment on a
database: one of them is to migrate, the others to wait, and all to succeed. It says how
many did, how the others ended, and whether a revision was applied twice or not at all.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextlib import ExitStack
from contextlib import nullcontext
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from tests.racing import Race
from tests.racing import RaceZygote
from tests.racing import read_journal
from tests.racing import REVISIONS
from tests.racing import write_history
from tests.servers import GaleraCluster
from tests.servers import MariaDBServer
from tests.servers import PgBouncer
from tests.servers import Pgpool
from tests.servers import PostgresServer
from tests.servers import PrimaryServer
from tests.servers import Server
from tests.servers import ServerError
from tests.servers import StandbyServer
from tests.servers.between import Between
from tests.servers.between import PROXIES
from tests.servers.between import TIMEOUTS

POSTGRESQL = {
    "psycopg2": "postgresql+psycopg2",
    "psycopg": "postgresql+psycopg",
    "psycopg, async": "postgresql+psycopg_async",
    "asyncpg": "postgresql+asyncpg",
}
MARIADB = {
    "PyMySQL": "mysql+pymysql",
    "asyncmy": "mysql+asyncmy",
    "aiomysql": "mysql+aiomysql",
}
DRIVERS = POSTGRESQL | MARIADB
#: By how many seconds the standby is behind.
BEHIND = 4
#: Seconds after which a process is taken to hang. What is slow takes ten.
HANGS = 40
HUNG = "It has printed why it ended."
ROUNDS = 5
SLEEPS = {"postgresql": "SELECT pg_sleep(1)", "mysql": "SELECT SLEEP(1)"}
ROWS_BEFORE_DDL = """
op.execute("INSERT INTO journal (revision) VALUES ('b3, rows')")
op.create_index("ix_users_name", "users", ["name"])
"""

#: Where apps connect, past which address to look, and what is to be in the journal.
Place = tuple[Sequence[sa.URL], sa.URL, list[str]]


class ImpatientServer(MariaDBServer):
    _settings = MariaDBServer._settings | {"wait-timeout": 3}


@dataclass(frozen=True)
class Row:
    """What stands in between.

    :param places: Yields, for a driver, where the processes of each round connect.
    :param slow: Whether one revision takes nine seconds.
    """

    title: str
    drivers: dict[str, str]
    processes: int
    places: Callable[[str], Iterator[Place]]
    slow: bool = False
    connect_args: bool = False


class Places:
    """Servers that start when they are needed, and what is put in front of them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self._running: dict[str, Any] = {}
        self._lock = Lock()

    def running(self, name: str, make: Callable[[], Any]) -> Any:
        with self._lock:
            if name not in self._running:
                self._running[name] = self._stack.enter_context(make())

        return self._running[name]

    def idle(
        self, kind: type[Server], between: Between | None, driver: str
    ) -> Iterator[Place]:
        server = self.running(kind.__name__, kind)
        url = new_database(server, driver)

        with between(server, url) if between else nullcontext(url) as through:
            yield [through], url, REVISIONS

    def pooler(self, mode: Any, size: int, driver: str) -> Iterator[Place]:
        server = self.running("PostgresServer", PostgresServer)

        with PgBouncer(server, mode, size) as pooler:
            for _ in range(ROUNDS):
                url = new_database(server, driver)
                yield [pooler.url(url)], url, REVISIONS

    def pgpool(self, driver: str) -> Iterator[Place]:
        primary = self.running("primary", PrimaryServer)
        standby = self.running("standby", partial(StandbyServer, primary, BEHIND))
        pgpool = self.running("pgpool", partial(Pgpool, primary, standby))
        urls = [new_database(primary, driver) for _ in range(ROUNDS)]
        standby.catch_up()

        for url in urls:
            yield [pgpool.url(url)], url, REVISIONS

    def galera(self, driver: str) -> Iterator[Place]:
        cluster = self.running("galera", GaleraCluster)

        for _ in range(ROUNDS):
            first = new_database(cluster.nodes[0], driver)
            cluster.catch_up()
            urls = [first.set(port=node.port) for node in cluster.nodes]
            yield urls, first, [*REVISIONS, "b3, rows"]
            cluster.catch_up()


def new_database(server: Server, driver: str) -> sa.URL:
    name = f"test_{uuid4().hex}"
    server.create_database(name)
    return server.url(driver, name)


def rows_of(places: Places) -> Iterator[Row]:
    titles: dict[str, Between | None] = {"nothing": None}
    titles |= {f"`{name}` of 3 s": between for name, between in TIMEOUTS.items()}
    proxies = {
        "HAProxy, `timeout` of 5 s": PROXIES["HAProxy"],
        "a router that forgets after 5 s": PROXIES["router"],
    }

    for title, between in {**titles, **proxies}.items():
        drivers = POSTGRESQL if between in TIMEOUTS.values() else DRIVERS

        def idle(driver: str, between: Between | None = between) -> Iterator[Place]:
            kind = PostgresServer if driver in POSTGRESQL.values() else MariaDBServer
            return places.idle(kind, between, driver)

        yield Row(title, drivers, 4, idle, slow=True)

    impatient = partial(places.idle, ImpatientServer, None)
    yield Row("`wait_timeout` of 3 s", MARIADB, 4, impatient, slow=True)

    for mode, size in ("session", 10), ("transaction", 20):
        title = f"PgBouncer, {mode} mode, {size} sessions"
        pooler = partial(places.pooler, mode, size)
        yield Row(title, POSTGRESQL, 10, pooler, connect_args=True)

    title = f"Pgpool, a standby {BEHIND} s behind"
    yield Row(title, POSTGRESQL, 6, places.pgpool)
    yield Row("Galera, a node for each", MARIADB, 3, places.galera)


def missing() -> list[str]:
    found = [
        *(
            kind.missing()
            for kind in (PostgresServer, GaleraCluster, PgBouncer, Pgpool)
        ),
        *(proxy.missing() for proxy in PROXIES.values()),
    ]
    return [text for text in found if text]


def cell(row: Row, folder: Path, driver: str) -> str:
    """Run all rounds of a row with a driver."""
    name = "slow" if row.slow else "rows" if "Galera" in row.title else "plain"
    args = {"prepare_threshold": None}
    options = args if row.connect_args and "psycopg_" in driver else {}
    races = []
    wrong: Counter[str] = Counter()

    with RaceZygote() as zygote:
        for (url, *others), direct, expected in row.places(driver):
            root = folder / name / sa.make_url(direct).get_backend_name()
            race = zygote.race(
                root,
                url,
                row.processes,
                HANGS,
                others=others,
                connect_args=options,
                # What a pool keeps is idle, and the app's own affair.
                pooled=not row.slow,
            )
            races.append(race)
            wrong.update(wrong_in(direct, expected))

            if HUNG in race.errors:
                break

    return text_of(races, wrong)


def wrong_in(url: sa.URL, expected: list[str]) -> Iterator[str]:
    """Whether there are revisions that were not applied once."""
    journal: Counter[str] = Counter()

    # Its table may not be there.
    with suppress(DBAPIError):
        journal.update(read_journal(url))

    if any(count > 1 for count in journal.values()):
        yield "applied twice"
    elif journal.keys() != {*expected}:
        yield "not applied"


def text_of(races: list[Race], wrong: Counter[str]) -> str:
    boots = [boot for race in races for boot in race.boots]
    failed = [boot.error for boot in boots if boot.error is not None]
    kinds = Counter(
        "hangs" if error == HUNG else error.partition(":")[0] for error in failed
    )
    parts = [f"{len(boots) - len(failed)} of {len(boots)}"]
    parts += [f"{count} {kind}" for kind, count in kinds.most_common()]
    parts += [f"**{what}** in {count} of {len(races)}" for what, count in wrong.items()]

    if not failed:
        parts.append(f"{max(race.seconds for race in races):.1f} s")

    return ", ".join(parts)


@contextmanager
def open_places() -> Iterator[Places]:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)

        for backend, sleep in SLEEPS.items():
            slow = f"for _ in range(9):\n    op.execute({sleep!r})"
            write_history(folder / "slow" / backend, b3=slow)
            write_history(folder / "plain" / backend)
            write_history(folder / "rows" / backend, b3=ROWS_BEFORE_DDL)

        yield Places(folder, stack)


def main() -> None:
    parser = argparse.ArgumentParser(description="Upgrade through what is in between.")
    parser.add_argument("--src", type=Path, help="the source of another version")
    parser.add_argument("--only", default="", help="a part of the titles to run")
    arguments = parser.parse_args()

    if arguments.src:
        # Of the processes that race, which come first to what this is set to.
        os.environ["PYTHONPATH"] = os.fspath(arguments.src.resolve())

    if lacking := missing():
        raise ServerError(" ".join(lacking))

    print(f"| In between | {' | '.join(DRIVERS)} |")
    print(f"|{' --- |' * (1 + len(DRIVERS))}", flush=True)

    with open_places() as places:
        for row in rows_of(places):
            if arguments.only not in row.title:
                continue

            # Those that only sleep don't get in each other's way.
            with ThreadPoolExecutor(7 if row.slow else 1) as executor:
                run = partial(cell, row, places.folder)
                texts = executor.map(run, row.drivers.values())
                cells = dict(zip(row.drivers, texts, strict=True))

            line = " | ".join(cells.get(driver, "") for driver in DRIVERS)
            print(f"| {row.title} | {line} |", flush=True)


if __name__ == "__main__":
    main()
