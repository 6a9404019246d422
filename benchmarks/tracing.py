"""What observing an upgrade costs: a history of 500 revisions, of which 3 are pending.

Run it with ``python -m benchmarks.tracing``, or with the number of revisions.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import sqlalchemy as sa
from flask import Flask

from async_alembic import SyncAlembic

from .history import write_history
from .lab import DRIVERS
from .lab import Lab
from .lab import open_lab

PENDING = 3


def main(size: int) -> None:
    with open_lab() as lab:
        for database in DRIVERS:
            if missing := lab.missing(database):
                print(f"{database}: skipped. {missing}")
            else:
                measure(lab, database, size)


def measure(lab: Lab, database: str, size: int) -> None:
    driver = DRIVERS[database][1]
    folder = lab.new_folder()
    versions = folder / "migrations"
    versions.mkdir()
    write_history(versions, size)

    def new_extension(url: sa.URL) -> tuple[Flask, SyncAlembic]:
        app = Flask("benchmark", root_path=str(folder))
        app.config["ALEMBIC"] = {}
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        return app, SyncAlembic(app, metadatas=sa.MetaData(), engines=engine)

    _app, alembic = new_extension(lab.new_database(database, driver))
    upgrade = seconds(lambda: alembic.upgrade(size - PENDING))
    plan = seconds(alembic.plan)
    trace = seconds(lambda: alembic.plan(trace=True))
    print(
        f"{database}: upgrade of {size - PENDING} revisions {upgrade:.2f} s,"
        f" plan of {PENDING} {plan:.2f} s, with a trace {trace:.2f} s"
    )


def seconds(fn: Callable[[], object]) -> float:
    started = time.perf_counter()
    fn()
    return time.perf_counter() - started


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 500)
