"""The peak memory of a data migration that streams the rows of a table.

Run it with ``python -m benchmarks.streaming``, or with the number of runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from textwrap import indent

from .lab import Lab
from .lab import REVISION
from .measuring import alternate
from .measuring import compare
from .measuring import megabytes
from .measuring import Ratio
from .measuring import Scale
from .measuring import Table
from .migrating import named
from .migrating import whole_process
from .results import main
from .tools import AWAITED
from .tools import BLOCKING

#: Rows for each revision that other benchmarks have.
ROWS = 300
#: The first contests; then what its memory is not to exceed.
CONTESTS: list[tuple[str, str, float | None]] = [
    (AWAITED, "postgresql+asyncpg", None),
    (AWAITED, "postgresql+psycopg", 1.2),
    (BLOCKING, "postgresql+psycopg2", 1.2),
]
BODY = """
rows = op.get_bind().execute(
    sa.text("SELECT n, repeat('x', 200) FROM generate_series(1, {rows}) n"),
    execution_options={{"yield_per": 1000}},
)

for row in rows:
    pass
"""


def benchmark(lab: Lab, scale: Scale) -> Iterator[Table]:
    rows = ROWS * scale.large
    title = f"a data migration that reads {rows:,} rows with yield_per: peak memory"

    if missing := lab.missing("PostgreSQL"):
        yield Table(title, skipped=missing)
        return

    measures = {}

    for tool, driver, _ in CONTESTS:
        new_url = partial(lab.new_database, "PostgreSQL", driver)
        folder, versions = lab.new_project(tool, new_url())
        body = indent(BODY.format(rows=rows).strip("\n"), "    ")
        text = REVISION.format(
            revision="a1", parent=None, labels=("default",), body=body
        )
        (versions / "a1.py").write_text(text)
        measures[named(tool, driver)] = partial(whole_process, tool, folder, new_url)

    samples = {
        name: [usage.memory for usage in usages]
        for name, usages in alternate(measures, scale.few).items()
    }
    first, *others = samples
    reaches = [reach for _, _, reach in CONTESTS[1:]]
    ratios = [Ratio(first, *pair) for pair in zip(others, reaches, strict=True)]
    yield compare(title, samples, ratios, megabytes)


if __name__ == "__main__":
    main(benchmark)
