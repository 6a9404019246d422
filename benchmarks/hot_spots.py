"""Where the time goes that is left: a profile of an upgrade.

Run it with ``python -m benchmarks.hot_spots``, and with the name of a driver, which is
asyncpg if left out. Profiled code is slower, calls of functions most of all.
"""

from __future__ import annotations

import cProfile
import io
import pstats
import re
import sys
from pathlib import Path

from .history import write_history
from .lab import open_lab
from .measuring import code_to_call
from .measuring import run_python
from .measuring import Scale
from .tools import APPS
from .tools import AWAITED
from .tools import shown

#: The database and SQLAlchemy's name of each driver.
DRIVERS = {
    "asyncpg": ("PostgreSQL", "postgresql+asyncpg"),
    "aiosqlite": ("SQLite", "sqlite+aiosqlite"),
}
FUNCTIONS = 20


def main() -> None:
    print(profile(Scale.large, *sys.argv[1:]))


def profile(size: int, driver: str = "asyncpg") -> str:
    """Profile an upgrade of an empty database in a new process, on what is slowest if
    the driver is left out.

    :return: The functions that took most, as text.
    """
    database, drivername = DRIVERS[driver]

    with open_lab() as lab:
        if missing := lab.missing(database):
            return f"Skipped. {missing}"

        jobs = []

        for length in 1, size:
            url = lab.new_database(database, drivername)
            folder, versions = lab.new_project(AWAITED, url)
            write_history(versions, length)
            jobs.append((str(folder), shown(url)))

        text: str = run_python(code_to_call(profile_last), jobs)

    return f"`await upgrade()` of {size:,} revisions on {driver}:\n\n```\n{text}\n```"


def profile_last(jobs: list[tuple[str, str]]) -> str:
    """Upgrade databases one after another, and profile the last."""
    for folder, url in jobs:
        with APPS[AWAITED](Path(folder), url) as upgrade:
            profiler = cProfile.Profile()
            profiler.runcall(upgrade)

    stream = io.StringIO()
    stats = pstats.Stats(profiler, stream=stream)
    stats.sort_stats("tottime").print_stats(FUNCTIONS)
    return shortened(stream.getvalue())


def shortened(text: str) -> str:
    """Name files from the folder of packages on, and leave out what is of this run."""
    text = re.sub(r"\S*/(?:site-packages|src|lib/python[\d.]+)/", "", text)
    return re.sub(r" at 0x\w+", "", text).strip()


if __name__ == "__main__":
    main()
