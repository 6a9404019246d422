"""What the commands take that are run most, from the shell's prompt to the next one.

Run it with ``python -m benchmarks.cli``, or with the number of runs. The apps of Flask
have Flask-SQLAlchemy, that of Quart has an engine on aiosqlite. All databases are at
head.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator

from .apps import runner
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

#: What each tool's command is called in the results.
NAMES = {
    AWAITED: "`quart db` of async-alembic",
    BLOCKING: "`flask db` of async-alembic",
    FLASK_ALEMBIC: "`flask db` of Flask-Alembic",
    FLASK_MIGRATE: "`flask db` of Flask-Migrate",
}
COMMANDS = ["current", "heads", "upgrade"]
REACH = 1.05


def benchmark(lab: Lab, scale: Scale) -> Iterator[Table]:
    ratios = [
        Ratio(NAMES[ours], NAMES[peer], REACH if ours == BLOCKING else None)
        for ours in (AWAITED, BLOCKING)
        for peer in (FLASK_ALEMBIC, FLASK_MIGRATE)
    ]

    for size in scale.small, scale.large:
        projects = {tool: make_project(lab, tool, size) for tool in NAMES}

        for command in COMMANDS:
            measures = {NAMES[tool]: run(command) for tool, run in projects.items()}
            # Once written, the bytecode is there for the next command.
            warm_ups = int(command == COMMANDS[0])
            samples = alternate(measures, scale.runs, warm_ups)
            title = f"`db {command}` at head, {size:,} revisions"
            yield compare(title, samples, ratios)


def make_project(
    lab: Lab, tool: str, size: int
) -> Callable[[str], Callable[[], float]]:
    """Make an app.

    :return: Makes what runs a command of it.
    """
    url = lab.new_database("SQLite", DRIVERS["SQLite"][0 if tool == AWAITED else 1])
    folder, versions = lab.new_project(tool, url)
    stamp(url, write_history(versions, size))
    write_app(folder, tool, str(url))
    return lambda command: runner(folder, tool, "db", command)


if __name__ == "__main__":
    main(benchmark)
