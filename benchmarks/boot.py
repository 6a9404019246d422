"""What it costs that every process may migrate: 32 of them boot at the same moment on
an empty database, against one that is alone.

Run it with ``python -m benchmarks.boot``, or with the number of rounds, ``python -m
benchmarks.boot 3``. In each round, one process migrates a new database. Then 32 race
for another one, and once more when nothing is left to do, which is what 32 processes
take on this machine without waiting for each other. All have imported everything when
they get the signal to start. The time ends when ``upgrade()`` of the last one is done.

A round is in order if all processes succeed and each revision was applied once: by what
they report, and by the rows that the revisions have added to a table.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

from sqlalchemy import URL
from tests.racing import RaceZygote
from tests.racing import read_journal
from tests.racing import REVISIONS
from tests.racing import use_wal
from tests.racing import write_history
from tests.servers import MariaDBServer
from tests.servers import PostgresServer
from tests.servers import Server

from .measuring import compare
from .measuring import Ratio
from .results import scale_of
from .results import text_of

PROCESSES = 32


@dataclass(frozen=True)
class Contest:
    """A database, and the driver that it is reached through."""

    title: str
    drivername: str
    server: type[Server] | None = None
    wal: bool = False

    @contextmanager
    def new_database(self, server: Server | None, folder: Path) -> Iterator[URL]:
        name = f"test_{uuid4().hex}"

        if server is None:
            url = URL.create(self.drivername, database=f"{folder}/{name}.db")

            if self.wal:
                use_wal(url)

            yield url
            return

        server.create_database(name)

        try:
            yield server.url(self.drivername, name)
        finally:
            server.drop_database(name)


CONTESTS = [
    Contest("PostgreSQL, asyncpg", "postgresql+asyncpg", PostgresServer),
    Contest("PostgreSQL, psycopg2", "postgresql+psycopg2", PostgresServer),
    Contest("MariaDB, asyncmy", "mysql+asyncmy", MariaDBServer),
    Contest("SQLite with a rollback journal, aiosqlite", "sqlite+aiosqlite"),
    Contest("SQLite with a WAL, aiosqlite", "sqlite+aiosqlite", wal=True),
]


def main() -> None:
    rounds = scale_of(sys.argv[1:], runs=10).runs
    packages = ["alembic", "sqlalchemy"]
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    print(f"Python {sys.version.split()[0]}, {versions}; {rounds} rounds")
    in_order = True

    with tempfile.TemporaryDirectory() as name, RaceZygote() as zygote:
        folder = Path(name)
        write_history(folder)

        for contest in CONTESTS:
            if contest.server and (missing := contest.server.missing()):
                print(f"\nboot on {contest.title}\n  skipped. {missing}")
                continue

            with contest.server() if contest.server else nullcontext() as server:
                in_order &= run_rounds(contest, server, zygote, folder, rounds)

    if not in_order:
        sys.exit("\nNot every round was in order.")


def run_rounds(
    contest: Contest,
    server: Server | None,
    zygote: RaceZygote,
    folder: Path,
    rounds: int,
) -> bool:
    """Run and print the rounds of one database.

    :return: Whether all were in order.
    """
    names = ["1 process", f"{PROCESSES} processes", f"{PROCESSES}, nothing to do"]
    seconds: dict[str, list[float]] = {name: [] for name in names}
    alone, racing, at_head = seconds.values()
    faults: list[str] = []
    in_order = 0

    for _ in range(rounds):
        with contest.new_database(server, folder) as url:
            alone.append(zygote.race(folder, url, 1).seconds)

        with contest.new_database(server, folder) as url:
            race = zygote.race(folder, url, PROCESSES)
            again = zygote.race(folder, url, PROCESSES)
            journal = read_journal(url)

        racing.append(race.seconds)
        at_head.append(again.seconds)
        errors = race.errors + again.errors
        once = race.applied == journal == REVISIONS and not again.applied
        in_order += once and not errors
        faults += errors

        if not once:
            faults.append(f"Reported as applied: {race.applied}. Journal: {journal}.")

    table = compare(f"boot on {contest.title}", seconds, [Ratio(names[1], names[0])])
    print(f"\n{text_of(table)}")
    print(f"  all succeeded, each revision applied once: {in_order} of {rounds} rounds")

    for fault in dict.fromkeys(faults):
        print(f"  {faults.count(fault)}: {fault}")

    return in_order == rounds


if __name__ == "__main__":
    main()
