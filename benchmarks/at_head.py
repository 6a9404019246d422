"""What it costs to find nothing to do: ``upgrade()`` of a database that is at head.

Run it with ``python -m benchmarks.at_head``, or with the number of runs. Each
measurement is made in a new process, after a first ``upgrade()`` of another history, so
that it has imported what it needs. Without bytecode is how the first process of a new
container finds the revisions.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import sqlalchemy as sa

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
from .tools import FLASK_ALEMBIC
from .tools import OURS
from .tools import TOOLS

REACH = 0.2


def benchmark(lab: Lab, scale: Scale) -> Iterator[Table]:
    first = {tool: project_at_head(lab, tool, 1) for tool in TOOLS}

    for size in scale.small, scale.large:
        reach = REACH if size == scale.large else None

        for bytecode in True, False:
            measures = {
                tool: partial(
                    lab.zygote(tool).time,
                    first[tool],
                    project_at_head(lab, tool, size),
                    write_bytecode=bytecode,
                )
                for tool in TOOLS
            }
            title = f"`upgrade()` at head, {size:,} revisions"
            title += "" if bytecode else ", no bytecode"
            yield compare(title, alternate(measures, scale.runs), ratios(reach))


def project_at_head(lab: Lab, tool: str, size: int) -> tuple[Path, sa.URL]:
    url = lab.new_database("SQLite", DRIVERS["SQLite"][0 if tool == AWAITED else 1])
    folder, versions = lab.new_project(tool, url)
    stamp(url, write_history(versions, size))
    return folder, url


def ratios(reach: float | None) -> list[Ratio]:
    return [
        Ratio(ours, peer, reach if peer == FLASK_ALEMBIC else None)
        for ours in OURS
        for peer in TOOLS
        if peer not in OURS
    ]


if __name__ == "__main__":
    main(benchmark)
