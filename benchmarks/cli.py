"""What the commands take that are run most, in whole processes.

Run it with ``python -m benchmarks.cli``, or with the number of runs. The apps of Flask
have Flask-SQLAlchemy, that of Quart has an engine on aiosqlite. All databases are at
head.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from .apps import write_app
from .history import stamp
from .history import write_history
from .lab import DRIVERS
from .lab import Lab
from .measuring import alternate
from .measuring import compare
from .measuring import Ratio
from .measuring import Scale
from .measuring import Table
from .results import main
from .tools import AWAITED
from .tools import BLOCKING
from .tools import FLASK_ALEMBIC
from .tools import FLASK_MIGRATE
from .whole_processes import run

#: What each tool's command is called in the results.
NAMES = {
    AWAITED: "`quart db` of async-alembic",
    BLOCKING: "`flask db` of async-alembic",
    FLASK_ALEMBIC: "`flask db` of Flask-Alembic",
    FLASK_MIGRATE: "`flask db` of Flask-Migrate",
}
COMMANDS = ["current", "heads", "upgrade"]
ROUTES = "`flask routes` of the app with async-alembic"
#: What the CPU time of our command is to be, beside that of each.
REACH = {NAMES[FLASK_ALEMBIC]: 0.80, NAMES[FLASK_MIGRATE]: 0.80, ROUTES: 1.05}


def benchmark(lab: Lab, scale: Scale) -> Iterator[Table]:
    for size in scale.small, scale.large:
        projects = {tool: make_project(lab, tool, size) for tool in NAMES}

        for command in COMMANDS:
            measures: dict[str, Callable[[], float]] = {
                NAMES[tool]: partial(cpu_time, tool, folder, "db", command)
                for tool, folder in projects.items()
            }
            measures[ROUTES] = partial(cpu_time, BLOCKING, projects[BLOCKING], "routes")
            ratios = [
                Ratio(NAMES[BLOCKING], peer, reach if size == scale.small else None)
                for peer, reach in REACH.items()
            ]
            title = f"CPU time of `db {command}` at head, {size:,} revisions"
            yield compare(title, alternate(measures, 2 * scale.runs + 1), ratios)


def make_project(lab: Lab, tool: str, size: int) -> Path:
    url = lab.new_database("SQLite", DRIVERS["SQLite"][0 if tool == AWAITED else 1])
    folder, versions = lab.new_project(tool, url)
    stamp(url, write_history(versions, size))
    write_app(folder, tool, str(url))
    return folder


def cpu_time(tool: str, folder: Path, *args: str) -> float:
    """Run a command of an app.

    :return: The seconds of CPU time of the whole process.
    """
    framework = "quart" if tool == AWAITED else "flask"
    arguments = ["-m", framework, "--app", "app:create_app", *args]
    return run(arguments, cwd=folder).cpu


if __name__ == "__main__":
    main(benchmark)
