"""How things are measured: in new processes, in turn, and paired by run."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from typing import TypeVar

from tests.zygote import ROOT

K = TypeVar("K")
T = TypeVar("T")


@dataclass(frozen=True)
class Scale:
    """How much to measure.

    :param runs: How often.
    :param few: How often what takes long.
    :param small: The revisions of a short history.
    :param large: Those of a long one.
    :param tables: How many are compared with their metadata.
    :param databases: How many are upgraded at once.
    :param tenants: How many schemas are upgraded.
    """

    runs: int = 5
    few: int = 3
    small: int = 10
    large: int = 1000
    tables: int = 200
    databases: tuple[int, int, int] = (10, 50, 200)
    tenants: int = 1000


QUICK = Scale(runs=1, few=1, large=100, tables=20, databases=(2, 5, 10), tenants=20)


@dataclass(frozen=True)
class Ratio:
    """What one took, divided by what another took in the same run.

    :param reach: What its median is not to exceed.
    """

    ours: str
    peer: str
    reach: float | None = None

    def __str__(self) -> str:
        return f"{self.ours} / {self.peer}"


@dataclass(frozen=True)
class Verdict:
    """A goal, and what came out."""

    what: str
    reach: str
    reached: str
    is_reached: bool


@dataclass(frozen=True)
class Table:
    """What one benchmark prints, as text.

    :param skipped: Why it was not run.
    """

    title: str
    rows: Sequence[Sequence[str]] = ()
    columns: Sequence[str] = ("min", "median", "max")
    verdicts: Sequence[Verdict] = ()
    skipped: str = ""


def alternate(
    measures: Mapping[K, Callable[[], T]], runs: int, warm_ups: int = 1
) -> dict[K, list[T]]:
    """Measure all in turn, run by run.

    :param warm_ups: The first runs, which don't count: they write bytecode, and bring
        files into memory.
    """
    samples: dict[K, list[T]] = {name: [] for name in measures}

    for run in range(warm_ups + runs):
        for name, measure in measures.items():
            measured = measure()

            if run >= warm_ups:
                samples[name].append(measured)

    return samples


def compare(
    title: str,
    samples: Mapping[str, Sequence[float]],
    ratios: Iterable[Ratio],
    show: Callable[[float], str] | None = None,
) -> Table:
    """Make the table of what was measured.

    :param show: Makes a text of a value. They are seconds if it is left out.
    """
    show = show or milliseconds
    rows = [[name, *spread(values, show)] for name, values in samples.items()]
    verdicts = []

    for ratio in ratios:
        pairs = zip(samples[ratio.ours], samples[ratio.peer], strict=True)
        values = [ours / peer for ours, peer in pairs]
        low, middle, high = spread(values, times)
        rows.append([str(ratio), low, middle, high])

        if ratio.reach is not None:
            is_reached = statistics.median(values) <= ratio.reach
            reached = f"{middle} ({low} to {high})"
            reach = f"<= {times(ratio.reach)}"
            verdicts.append(Verdict(str(ratio), reach, reached, is_reached))

    return Table(title, rows, verdicts=verdicts)


def spread(values: Sequence[float], show: Callable[[float], str]) -> list[str]:
    return [show(f(values)) for f in (min, statistics.median, max)]


def milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:,.1f} ms"


def megabytes(size: float) -> str:
    return f"{size:,.1f} MB"


def times(ratio: float) -> str:
    return f"{ratio:.2f} x"


def seconds_to_run(command: Sequence[str], cwd: Path) -> float:
    """Run a command to its end, as a shell does."""
    started = time.perf_counter()
    output_of(command, cwd)
    return time.perf_counter() - started


def run_python(code: str, *args: Any) -> Any:
    """Run code in a new process.

    :param args: What it finds as JSON in its first argument.
    :return: What it prints as JSON.
    """
    return answer_of(output_of(python_command(code, *args), ROOT))


def python_command(code: str, *args: Any) -> list[str]:
    return [sys.executable, "-c", code, json.dumps(args)]


def answer_of(output: str) -> Any:
    """What was printed last, as Alembic prints what it does."""
    return json.loads(output.splitlines()[-1])


def output_of(command: Sequence[str], cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)

    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")

    return done.stdout


def code_to_call(function: Callable[..., object]) -> str:
    """Code for :func:`run_python` that calls a function with the arguments."""
    # The one that is run has another name.
    spec = sys.modules[function.__module__].__spec__
    assert spec is not None
    return (
        "import json, sys\n"
        f"from {spec.name} import {function.__name__} as function\n"
        "print(json.dumps(function(*json.loads(sys.argv[1]))))"
    )
