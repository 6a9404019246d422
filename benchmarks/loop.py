"""How long the event loop stands still: by how much a task wakes up too late that means
to wake up every millisecond, beside what is awaited.

Run it with ``python -m benchmarks.loop``, or with the number of processes. Each process
makes its call after one of another, small project, but for the first call of a process,
before which only the modules have been imported that an app imports. The process that
waits for it has such a task too: what that finds is what the machine does to one that
is idle.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from asyncio.subprocess import PIPE
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from compileall import compile_dir
from dataclasses import dataclass
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from tests.direct import blocking_url
from tests.zygote import ROOT

from .awaited import ENV_PY
from .awaited import heartbeat
from .awaited import lateness
from .awaited import metadata_of
from .awaited import OURS
from .awaited import PEER
from .awaited import Project
from .history import stamp
from .history import write_history
from .lab import Lab
from .measuring import alternate
from .measuring import answer_of
from .measuring import code_to_call
from .measuring import compare
from .measuring import milliseconds
from .measuring import python_command
from .measuring import Ratio
from .measuring import Scale
from .measuring import Table
from .measuring import Verdict
from .results import main
from .tools import ALEMBIC
from .tools import AWAITED
from .tools import shown

#: How late each was: beside a call, and in an idle process.
Beats = tuple[list[float], list[float]]

COLUMNS = ["beats", "99 %", "99.9 %", "longest"]
SHARES = [0.99, 0.999, 1.0]
#: How many seconds late this share of the beats may be at most.
REACH = {0.999: 0.020, 1.0: 0.050}
#: Whose ``init`` makes the project.
TOOLS = {OURS: AWAITED, PEER: ALEMBIC}


@dataclass(frozen=True)
class Case:
    """What is awaited.

    :param call: See :func:`.our_calls`.
    :param size: How many revisions there are.
    :param tables: How many tables the database has before.
    :param repeats: How often one process makes the call.
    :param is_first: Whether nothing was called before.
    """

    title: str
    call: str
    size: int
    at_head: bool = True
    tables: int = 0
    repeats: int = 1
    is_first: bool = False

    @property
    def before(self) -> Case:
        """The same in small, which is called once before."""
        return replace(self, size=1, tables=min(self.tables, 1))


def cases_of(scale: Scale) -> list[Case]:
    size = f"{scale.large:,} revisions"
    tables = f"{scale.tables} tables"
    return [
        Case(f"`await upgrade()` of {size}", "upgrade", scale.large, at_head=False),
        Case(
            f"first call of a process: `await upgrade()` at head, {size}",
            "upgrade",
            scale.large,
            is_first=True,
        ),
        *(
            Case(
                f"`await {call}()` with {tables}",
                call,
                scale.small,
                tables=scale.tables,
                # One call has few beats.
                repeats=3,
            )
            for call in ("revision", "compare_metadata")
        ),
    ]


def benchmark(lab: Lab, scale: Scale) -> Iterator[Table]:
    for case in cases_of(scale):
        title = f"stalls of the event loop, {case.title}"

        if missing := lab.missing("PostgreSQL"):
            yield Table(title, skipped=missing)
            continue

        measures = {tool: measure_of(lab, tool, case) for tool in TOOLS}
        samples = alternate(measures, scale.runs, warm_ups=0)
        longest = {t: [max(beats) for beats, _ in s] for t, s in samples.items()}
        yield table_of(title, samples)
        yield compare(f"longest stall, {case.title}", longest, [Ratio(OURS, PEER)])


def measure_of(lab: Lab, tool: str, case: Case) -> Callable[[], Beats]:
    """What measures the seconds by which each beat was late."""
    project = maker_of_projects(lab, tool, case)
    before = None if case.is_first else maker_of_projects(lab, tool, case.before)

    def measure() -> Beats:
        args = [tool, case.call, before and before(), project(), case.repeats]
        return asyncio.run(measure_beside_idle(code_to_call(lateness), args))

    return measure


def maker_of_projects(lab: Lab, tool: str, case: Case) -> Callable[[], Project]:
    url = new_database(lab, case)
    folder, versions = lab.new_project(TOOLS[tool], url)
    head = write_history(versions, case.size)
    compile_dir(versions, quiet=2)

    if tool == PEER:
        (folder / "migrations" / "env.py").write_text(ENV_PY)

    if case.at_head:
        stamp(url, head)

    def project() -> Project:
        database = url if case.at_head else new_database(lab, case)
        return str(folder), shown(database), case.tables

    return project


def new_database(lab: Lab, case: Case) -> sa.URL:
    url = lab.new_database("PostgreSQL", "postgresql+asyncpg")
    engine = sa.create_engine(blocking_url(url), poolclass=sa.NullPool)
    metadata_of(case.tables).create_all(engine)
    return url


async def measure_beside_idle(code: str, args: list[Any]) -> Beats:
    idle: list[float] = []

    async with heartbeat(idle):
        process = await asyncio.create_subprocess_exec(
            *python_command(code, *args), cwd=ROOT, stdout=PIPE, stderr=PIPE
        )
        output, error = await process.communicate()

    if process.returncode:
        raise RuntimeError(error.decode())

    return answer_of(output.decode()), idle


def table_of(title: str, samples: dict[str, list[Beats]]) -> Table:
    late = {tool: pooled(beats for beats, _ in s) for tool, s in samples.items()}
    everything = itertools.chain.from_iterable(samples.values())
    late["an idle process meanwhile"] = pooled(idle for _, idle in everything)
    rows = [
        [name, f"{len(beats):,}", *(milliseconds(share_of(beats, s)) for s in SHARES)]
        for name, beats in late.items()
    ]
    verdicts = []

    for column, share in zip(COLUMNS[1:], SHARES, strict=True):
        if reach := REACH.get(share):
            reached = share_of(late[OURS], share)
            texts = f"<= {milliseconds(reach)}", milliseconds(reached)
            verdicts.append(Verdict(column, *texts, reached <= reach))

    return Table(title, rows, COLUMNS, verdicts)


def pooled(parts: Iterable[list[float]]) -> list[float]:
    """The beats of all processes, in order of their lateness."""
    return sorted(itertools.chain.from_iterable(parts))


def share_of(late: list[float], share: float) -> float:
    """How late this share of the beats was at most."""
    return late[math.ceil(share * len(late)) - 1]


if __name__ == "__main__":
    main(benchmark)
