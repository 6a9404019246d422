"""What it costs to find nothing to do, in whole processes: from the start of Python to
its end, beyond the same app that connects and runs ``SELECT 1``.

Run it with ``python -m benchmarks.at_head``, or with the number of runs. All programs
collect garbage once when the app is there: a full collection takes as long as all else
here, and one that is due by then is due to what was imported before.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from .history import stamp
from .history import write_history
from .lab import Lab
from .measuring import alternate
from .measuring import milliseconds
from .measuring import Scale
from .measuring import Table
from .measuring import times
from .measuring import Verdict
from .results import main
from .tools import AWAITED
from .tools import BLOCKING
from .tools import FLASK_ALEMBIC
from .tools import shown
from .whole_processes import run
from .whole_processes import Usage

BLOCKING_APP = """
import gc
import sys
import flask
import sqlalchemy as sa

app = flask.Flask("app", root_path=sys.argv[1])
engine = sa.create_engine(sys.argv[2])

with engine.connect() as connection:
    connection.execute(sa.text("SELECT 1"))

gc.collect()
"""
AWAITED_APP = """
import asyncio
import gc
import sys
import quart
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

app = quart.Quart("app", root_path=sys.argv[1])
engine = create_async_engine(sys.argv[2])


async def main():
    async with engine.connect() as connection:
        await connection.execute(sa.text("SELECT 1"))

    gc.collect()
    {then}
    await engine.dispose()


asyncio.run(main())
"""
OURS_BLOCKING = """
from async_alembic import SyncAlembic

assert SyncAlembic(app, metadatas=sa.MetaData(), engines=engine).upgrade() == []
"""
OURS_AWAITED = """
    from async_alembic import Alembic

    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)
    assert await alembic.upgrade() == []
"""
PEER = """
from flask_alembic import Alembic

alembic = Alembic(metadatas=sa.MetaData(), engines=engine)
alembic.init_app(app)

with app.app_context():
    alembic.upgrade()
"""


@dataclass(frozen=True)
class Contestant:
    """A program, and the same program without migrations.

    :param tool: Whose project it has.
    :param reach: What it is to take beside the peer, by the number of revisions.
    """

    name: str
    tool: str
    database: str
    driver: str
    app: str
    program: str
    reach: dict[int, float]


def blocking(name: str, tool: str, code: str, reach: dict[int, float]) -> Contestant:
    program = BLOCKING_APP + code
    return Contestant(name, tool, "SQLite", "sqlite", BLOCKING_APP, program, reach)


def awaited(database: str, driver: str) -> Contestant:
    return Contestant(
        f"{AWAITED} on {driver.partition('+')[2]}",
        AWAITED,
        database,
        driver,
        AWAITED_APP.format(then=""),
        AWAITED_APP.format(then=OURS_AWAITED.strip()),
        dict.fromkeys(SIZES, 0.15),
    )


SIZES = (30, 1000)
THE_PEER = blocking(FLASK_ALEMBIC, FLASK_ALEMBIC, PEER, {})
CONTESTANTS = [
    blocking(BLOCKING, BLOCKING, OURS_BLOCKING, {30: 0.10, 1000: 0.15}),
    awaited("SQLite", "sqlite+aiosqlite"),
    awaited("PostgreSQL", "postgresql+asyncpg"),
    THE_PEER,
]


def benchmark(lab: Lab, scale: Scale) -> Iterator[Table]:
    for size in SIZES:
        title = f"process start to nothing to do, {size:,} revisions"
        contestants = [c for c in CONTESTANTS if not lab.missing(c.database)]
        measures: dict[tuple[str, bool], Callable[[], Usage]] = {}

        for contestant in contestants:
            url = lab.new_database(contestant.database, contestant.driver)
            folder, versions = lab.new_project(contestant.tool, url)
            stamp(url, write_history(versions, size))
            (folder / "migrations/script.py.mako").touch()
            program, app = (
                partial(run, ["-c", code, str(folder), shown(url)])
                for code in (contestant.program, contestant.app)
            )
            measures |= {
                (contestant.name, True): program,
                (contestant.name, False): app,
            }

        # What is measured is a small difference: the medians need more runs.
        samples = alternate(measures, 2 * scale.runs + 1)
        yield table(title, size, contestants, samples)


def table(
    title: str,
    size: int,
    contestants: Sequence[Contestant],
    samples: dict[tuple[str, bool], list[Usage]],
) -> Table:
    def beyond(name: str, what: str) -> float:
        program, app = (
            statistics.median(getattr(usage, what) for usage in samples[name, key])
            for key in (True, False)
        )
        return program - app

    rows, verdicts = [], []

    for contestant in contestants:
        name = contestant.name
        cpu, memory = beyond(name, "cpu"), beyond(name, "memory")
        ratios = {
            "CPU time": cpu / beyond(THE_PEER.name, "cpu"),
            "memory": memory / beyond(THE_PEER.name, "memory"),
        }
        rows.append(
            [name, milliseconds(cpu), f"{memory:.2f} MB", *map(times, ratios.values())]
        )

        for what, ratio in ratios.items():
            if size in contestant.reach:
                reach = contestant.reach[size]
                label = f"{name} / {THE_PEER.name}, {what}"
                verdicts.append(
                    Verdict(label, f"<= {times(reach)}", times(ratio), ratio <= reach)
                )

    columns = ["CPU time", "memory", "CPU ratio", "memory ratio"]
    return Table(title, rows, columns, verdicts)


if __name__ == "__main__":
    main(benchmark)
