"""What the README claims, beside what was measured; and the package that shows it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from .test_docs import blocks_of

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


def cells(title: str, row: str) -> list[str]:
    """A row of a table in ``benchmarks/RESULTS.md``."""
    results = (ROOT / "benchmarks/RESULTS.md").read_text()
    _, _, section = results.partition(f"\n## {title}\n")
    table, _, _ = section.partition("\n## ")
    (found,) = re.findall(rf"^\| {re.escape(row)} \| (.+) \|$", table, re.MULTILINE)
    return str(found).split(" | ")


def rounded(measured: str, digits: int = 0) -> str:
    number, unit = measured.split()
    return f"{float(number):.{digits}f} {unit}"


def test_times_at_head_are_those_that_were_measured() -> None:
    text = README.read_text()
    start = "process start to nothing to do, 30 revisions"
    ours = cells(start, "async-alembic, blocking")
    peer = cells(start, "Flask-Alembic")
    awaited = cells(start, "async-alembic, awaited on asyncpg")
    assert f"| {rounded(ours[0])}, {rounded(ours[1], 1)} |" in text
    assert f"| {rounded(peer[0])}, {rounded(peer[1])} |" in text
    assert f"awaited on asyncpg {rounded(awaited[0])} and" in text


def test_times_of_imports_are_those_that_were_measured() -> None:
    title = "import beside `flask` and `sqlalchemy`"
    rows = "async_alembic", "flask_migrate", "flask_alembic"
    ours, migrate, alembic = [rounded(cells(title, row)[1]) for row in rows]
    wanted = f"| {ours} | not measured | {migrate} | {alembic} | not measured |"
    assert wanted in README.read_text()


def test_as_many_faults_are_claimed_as_there_are() -> None:
    page = (ROOT / "docs/explanation/guarantees.md").read_text()
    (number,) = re.findall(r"^There are ([\d,]+) of them\.", page, re.MULTILINE)
    assert f"[{number} faults]" in README.read_text()
    _, _, table = page.partition("## The number of faults")
    table, _, _ = table.partition("\n## ")
    cases = re.findall(r"(?<=\| )(\d+)(?=: )", table)
    assert sum(map(int, cases)) == int(number.replace(",", ""))


@pytest.mark.full
@pytest.mark.timeout(600)
def test_the_wheel_runs_the_quick_start_in_an_empty_environment(tmp_path: Path) -> None:
    """It needs nothing else that our own environment has, such as tests' packages."""

    def run(*words: object, folder: Path = tmp_path) -> str:
        done = subprocess.run(
            [*map(str, words)],
            cwd=folder,
            env={k: v for k, v in os.environ.items() if not k.startswith("PYTHON")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    wheels = tmp_path / "wheels"
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", wheels, ROOT)
    (wheel,) = wheels.glob("*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    run(programs / "pip", "install", f"{wheel}[quart,aiosqlite]")
    files = {block.file_name: block.code for block in reversed([*blocks_of(README)])}
    folder = tmp_path / "app"
    folder.mkdir()

    for name in "app.py", "status.py":
        (folder / name).write_text(files[name])

    created = run(programs / "quart", "db", "revision", "create user", folder=folder)
    assert "add table user" in created
    shown = run(programs / "python", "status.py", folder=folder)
    assert shown.endswith("create user\n")
    current = run(programs / "quart", "db", "current", folder=folder)
    assert "(head), create user" in current
