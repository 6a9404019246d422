"""Print what was left after each kind of fault, as a table for the documentation.

``python -m tests.faults [TEXT]`` runs all, or those whose name contains a text.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

from ..backends import Backend
from ..servers import MariaDBServer
from ..servers import PostgresServer
from ..servers import Server
from .campaign import Report
from .campaign import strike_everywhere
from .history import write_history
from .kinds import make_kinds
from .matrix import Entry
from .matrix import KINDS
from .matrix import MATRIX
from .promises import ORDER
from .subject import Subject
from .zygote import FaultZygote


class Bench:
    """Makes a new database for each entry, on servers that are started when needed."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._servers: dict[str, Server] = {}
        self._count = 0

    def subject(self, entry: Entry) -> Subject:
        self._count += 1
        root = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        write_history(root / "migrations")
        url = self._database(entry.backend, f"test_{self._count}", root)
        return Subject(entry.backend, url, root, entry.awaited, entry.options)

    def _database(self, backend: Backend, name: str, root: Path) -> sa.URL:
        if backend.database == "sqlite":
            return sa.URL.create(backend.drivername, database=str(root / name))

        if backend.database not in self._servers:
            kinds = {"postgresql": PostgresServer, "mariadb": MariaDBServer}
            server: Server = kinds[backend.database]()
            self._servers[backend.database] = self._stack.enter_context(server)

        server = self._servers[backend.database]
        server.create_database(name)
        return server.url(backend.drivername, name)


def main(entries: Sequence[Entry]) -> int:
    # What SQLAlchemy's pool says of each fault.
    logging.disable()
    reports: dict[tuple[str, str], Report] = {}

    with contextlib.ExitStack() as stack:
        bench = Bench(stack)
        kinds = make_kinds(stack.enter_context(FaultZygote()))

        for entry in entries:
            started = time.monotonic()
            report = strike_everywhere(bench.subject(entry), kinds[entry.kind])
            reports[entry.driver, entry.kind] = report
            seconds = time.monotonic() - started
            print(
                f"{entry}: {seconds:.1f} s",
                *report.failures,
                sep="\n  ",
                file=sys.stderr,
            )

    print(table(reports))
    return 1 if any(report.failures for report in reports.values()) else 0


def table(reports: dict[tuple[str, str], Report]) -> str:
    kinds = [kind for kind in KINDS if any(column == kind for _, column in reports)]
    lines = [["", *kinds], ["---"] * (len(kinds) + 1)]

    for driver in dict.fromkeys(driver for driver, _ in reports):
        cells = [cell(reports.get((driver, kind), Report())) for kind in kinds]
        lines.append([driver, *cells])

    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(report: Report) -> str:
    """How many faults there were, and how often each state was left."""
    if not report.outcomes:
        return ""

    outcomes = sorted(report.outcomes.items(), key=lambda item: ORDER.index(item[0]))
    listed = ", ".join(f"{outcome} {count}" for outcome, count in outcomes)
    return f"{report.outcomes.total()}: {listed}"


if __name__ == "__main__":
    text = " ".join(sys.argv[1:])
    sys.exit(main([entry for entry in MATRIX if text in str(entry)]))
