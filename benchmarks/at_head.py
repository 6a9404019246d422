"""What it costs to find nothing to do: ``upgrade()`` of a database that is at head, and
the import that every process pays for.

Run it with ``python -m benchmarks``, or with the number of runs, ``python -m benchmarks
9``. Each measurement is made in a new process, after a first ``upgrade()`` of another
history, so that it has imported what it needs. The packages take turns.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

SIZES = [10, 1000]
#: The first on aiosqlite, the others on sqlite3.
OURS = ["async-alembic, awaited", "async-alembic, blocking"]
PEERS = ["Flask-Alembic", "alembic.command"]

ENV_PY = """
from alembic import context
from sqlalchemy import create_engine

engine = create_engine(context.config.get_main_option("sqlalchemy.url"))

with engine.connect() as connection:
    context.configure(connection=connection)

    with context.begin_transaction():
        context.run_migrations()
"""
REVISION = '''"""number {number}"""

from alembic import op

revision = "{number:08}"
down_revision = {parent!r}
branch_labels = {labels!r}
depends_on = None


def upgrade():
    op.execute("SELECT {number}")


def downgrade():
    pass
'''


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    packages = ["flask-alembic", "alembic", "sqlalchemy"]
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    print(f"Python {sys.version.split()[0]}, {versions}; {runs} runs each")

    with tempfile.TemporaryDirectory() as folder:
        make_project(Path(folder, "1"), 1)

        for size in SIZES:
            make_project(Path(folder, str(size)), size)
            print(f"\nupgrade() at head, {size:,} revisions")
            compare(OURS, PEERS, runs, "upgrade", folder, str(size))

        print("\nimport, beside flask and sqlalchemy")
        compare(["async_alembic"], ["flask_alembic"], runs, "import", folder, "0")


def compare(
    ours: list[str], peers: list[str], runs: int, what: str, folder: str, size: str
) -> None:
    """Measure all of these in turn, and print times and ratios."""
    seconds: dict[str, list[float]] = {name: [] for name in ours + peers}

    for run in range(runs + 1):
        for name in seconds:
            measured = measure_in_new_process(what, name, folder, size)

            # The first run writes the bytecode of the files.
            if run:
                seconds[name].append(measured)

    for name, measured_all in seconds.items():
        print_row(name, [1000 * s for s in measured_all], "ms", 1)

    for name in ours:
        for peer in peers:
            pairs = zip(seconds[name], seconds[peer], strict=True)
            print_row(f"{name} / {peer}", [a / b for a, b in pairs], "x", 2)


def print_row(name: str, values: list[float], unit: str, digits: int) -> None:
    shown = min(values), statistics.median(values), max(values)
    columns = "".join(f"{value:10.{digits}f}" for value in shown)
    print(f"  {name:45}{columns} {unit} (min, median, max)")


def make_project(folder: Path, size: int) -> None:
    """Write a history, and a database that is at its head."""
    import sqlite3

    migrations = folder / "migrations"
    versions = migrations / "versions"
    versions.mkdir(parents=True)
    (migrations / "env.py").write_text(ENV_PY)
    (migrations / "script.py.mako").write_text("")
    parent = None

    for number in range(size):
        labels = None if parent else ("default",)
        text = REVISION.format(number=number, parent=parent, labels=labels)
        parent = f"{number:08}"
        (versions / f"{parent}_number.py").write_text(text)

    connection = sqlite3.connect(folder / "app.db")
    connection.execute(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"
    )
    connection.execute("INSERT INTO alembic_version VALUES (?)", [parent])
    connection.commit()
    connection.close()


def measure_in_new_process(*args: str) -> float:
    command = [sys.executable, __file__, *args]
    done = subprocess.run(command, capture_output=True, text=True)

    if done.returncode:
        sys.exit(done.stderr)

    return float(done.stdout)


def measure_upgrade(name: str, folder: str, size: str) -> float:
    measure = {
        "async-alembic, awaited": measure_awaited,
        "async-alembic, blocking": measure_blocking,
        "Flask-Alembic": measure_flask_alembic,
        "alembic.command": measure_alembic,
    }[name]
    measure(Path(folder, "1"))
    return measure(Path(folder, size))


def measure_import(name: str) -> float:
    importlib.import_module("flask")
    importlib.import_module("sqlalchemy")
    started = time.perf_counter()
    importlib.import_module(name)
    return time.perf_counter() - started


def measure_awaited(folder: Path) -> float:
    from quart import Quart
    from sqlalchemy import MetaData
    from sqlalchemy.ext.asyncio import create_async_engine

    from async_alembic import Alembic

    app = Quart("app", root_path=os.fspath(folder))
    engine = create_async_engine(f"sqlite+aiosqlite:///{folder}/app.db")
    alembic = Alembic(app, metadatas=MetaData(), engines=engine)

    async def measure() -> float:
        async with app.app_context():
            started = time.perf_counter()
            applied = await alembic.upgrade()
            seconds = time.perf_counter() - started

        assert not applied
        await engine.dispose()
        return seconds

    return asyncio.run(measure())


def measure_blocking(folder: Path) -> float:
    from flask import Flask
    from sqlalchemy import create_engine
    from sqlalchemy import MetaData

    from async_alembic import SyncAlembic

    app = Flask("app", root_path=os.fspath(folder))
    engine = create_engine(f"sqlite:///{folder}/app.db")
    alembic = SyncAlembic(app, metadatas=MetaData(), engines=engine)

    with app.app_context():
        started = time.perf_counter()
        applied = alembic.upgrade()
        seconds = time.perf_counter() - started

    assert not applied
    return seconds


def measure_flask_alembic(folder: Path) -> float:
    from flask import Flask
    from flask_alembic import Alembic
    from sqlalchemy import create_engine
    from sqlalchemy import MetaData

    app = Flask("app", root_path=os.fspath(folder))
    app.config["ALEMBIC"] = {"script_location": "migrations/versions"}
    engine = create_engine(f"sqlite:///{folder}/app.db")
    alembic = Alembic(metadatas=MetaData(), engines=engine, run_mkdir=False)
    alembic.init_app(app)

    with app.app_context():
        started = time.perf_counter()
        alembic.upgrade()
        return time.perf_counter() - started


def measure_alembic(folder: Path) -> float:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", f"{folder}/migrations")
    config.set_main_option("path_separator", "os")
    config.set_main_option("sqlalchemy.url", f"sqlite:///{folder}/app.db")
    started = time.perf_counter()
    command.upgrade(config, "heads")
    return time.perf_counter() - started


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["upgrade", name, folder, size]:
            print(measure_upgrade(name, folder, size))
        case ["import", name, *_]:
            print(measure_import(name))
        case _:
            main()
