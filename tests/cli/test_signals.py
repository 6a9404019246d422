"""Ctrl-C and SIGTERM."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..direct import execute
from ..harness import Caller
from ..harness import create_table
from ..harness import Framework
from ..harness import write_revision
from .project import BOTH_KINDS
from .project import environ_of
from .project import on_one_app
from .project import Project
from .project import write_app
from .test_json import VALIDATOR

#: Of each database, a statement that takes half a minute.
LONG = {
    "postgresql": "SELECT pg_sleep(30)",
    "mariadb": "SELECT SLEEP(30)",
    "sqlite": (
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 3e8)"
        " SELECT count(*) FROM c"
    ),
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("framework", "backend"),
    [
        ("flask", BOTH_KINDS[0]),
        ("quart", BOTH_KINDS[1]),
        ("quart", by_id("postgresql-asyncpg")),
        ("flask", by_id("postgresql-psycopg2")),
        ("flask", by_id("postgresql-psycopg")),
        ("flask", by_id("mariadb-pymysql")),
        ("quart", by_id("mariadb-asyncmy")),
    ],
    ids=str,
    indirect=["backend"],
)
def test_a_signal_ends_an_upgrade_and_leaves_the_database_as_it_was(
    number: signal.Signals,
    framework: Framework,
    backend: Backend,
    engines: EngineFactory,
    runner: asyncio.Runner,
    tmp_path: Path,
) -> None:
    """Also in the middle of a statement, and with a driver that does not listen."""
    engine = engines(backend)
    started = tmp_path / "started"
    long = f"op.execute({LONG[backend.database]!r})"
    write_app(framework, backend, tmp_path, engine.url)
    write_revision(tmp_path / "migrations", "a1", None, create_table("users"))
    write_revision(
        tmp_path / "migrations",
        "b2",
        "a1",
        f"pathlib.Path({str(started)!r}).touch()\n{long}",
        top="import pathlib, time",
    )

    with _start(framework, tmp_path, "upgrade") as process:
        _wait_for(started, process)
        time.sleep(0.1)
        process.send_signal(number)
        output, errors = process.communicate(timeout=20)

    assert process.returncode == 128 + number
    assert "Traceback" not in errors
    assert errors.endswith(
        "Interrupted. Changes that were not committed were rolled back.\n"
    )
    assert output.endswith("interrupted\n")
    look = Caller(runner, False)

    # Elsewhere, DDL commits.
    if backend.database != "mariadb":
        assert look.versions(engine) == []
        assert look.tables(engine) == set()


@pytest.mark.parametrize(
    ("framework", "backend"),
    [
        ("quart", by_id("postgresql-asyncpg")),
        ("flask", by_id("postgresql-psycopg2")),
        ("flask", by_id("mariadb-pymysql")),
    ],
    ids=str,
    indirect=["backend"],
)
def test_a_signal_ends_a_trace_and_drops_the_scratch_copy(
    framework: Framework,
    backend: Backend,
    engines: EngineFactory,
    runner: asyncio.Runner,
    tmp_path: Path,
) -> None:
    engine = engines(backend)
    started = tmp_path / "started"
    write_app(framework, backend, tmp_path, engine.url)
    write_revision(
        tmp_path / "migrations",
        "a1",
        None,
        "if not op.get_context().as_sql:\n"
        f"    pathlib.Path({str(started)!r}).touch()\n"
        f"op.execute({LONG[backend.database]!r})",
        top="import pathlib",
    )

    with _start(framework, tmp_path, "plan", "--trace") as process:
        _wait_for(started, process)
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)

    assert process.returncode == 128 + signal.SIGINT
    assert "Traceback" not in errors
    databases = {"postgresql": "SELECT datname FROM pg_database"}
    query = databases.get(backend.database, "SHOW DATABASES")
    found = Caller(runner, False).query(engine, query)
    assert not [name for (name,) in found if "scratch" in name]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("framework", "backend"),
    [("flask", BOTH_KINDS[0]), ("quart", BOTH_KINDS[1])],
    ids=str,
)
def test_a_signal_ends_waiting_at_once(
    number: signal.Signals, framework: Framework, backend: Backend, tmp_path: Path
) -> None:
    """An orchestrator would kill what does not end by itself."""
    write_app(framework, backend, tmp_path)
    write_revision(tmp_path / "migrations", "a1", None, create_table("users"))

    with _start(framework, tmp_path, "wait") as process:
        _wait_for(tmp_path / "shop.db", process)
        # It sleeps longer and longer.
        time.sleep(2)
        process.send_signal(number)
        started = time.monotonic()
        _, errors = process.communicate(timeout=20)

    assert time.monotonic() - started < 5
    assert process.returncode == 128 + number
    assert "Traceback" not in errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_question(number: signal.Signals, tmp_path: Path) -> None:
    write_app("flask", BOTH_KINDS[0], tmp_path)

    with _start("flask", tmp_path, "drop-all", stdin=subprocess.PIPE) as process:
        assert process.stderr is not None
        # The question has no end of line.
        assert process.stderr.read(4) == "Drop"
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)

    assert process.returncode == 128 + number
    assert errors.endswith(
        "Interrupted. Changes that were not committed were rolled back.\n"
    )


def test_an_interrupted_command_prints_its_document(tmp_path: Path) -> None:
    process = _upgrade_slowly(BOTH_KINDS[0], "time.sleep(60)", tmp_path, json=True)

    with process:
        _wait_for(tmp_path / "started", process)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=90)

    assert process.returncode == 128 + signal.SIGINT
    document = json.loads(output)
    VALIDATOR.validate(document)
    assert document["error"]["type"] == "Interrupted"


@pytest.mark.parametrize("ignored", [None, signal.SIGINT], ids=str)
def test_a_signal_that_comes_again_breaks_nothing(
    ignored: signal.Signals | None, tmp_path: Path
) -> None:
    """It may hit the event loop anywhere, whose thread goes on. What a shell has put in
    the background ignores Ctrl-C, and yet is to roll back.
    """
    process = _upgrade_slowly(BOTH_KINDS[0], "time.sleep(1)", tmp_path, ignored)

    with process:
        _wait_for(tmp_path / "started", process)

        for _ in range(10):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.01)

        _, errors = process.communicate(timeout=60)

    assert errors.endswith(
        "Interrupted. Changes that were not committed were rolled back.\n"
    )
    assert "Traceback" not in errors
    assert process.returncode == 128 + signal.SIGTERM
    assert execute(sa.make_url(f"sqlite:///{tmp_path}/shop.db"), TABLES) == []


def test_a_second_signal_ends_what_keeps_the_loop_from_hearing_of_the_first(
    tmp_path: Path,
) -> None:
    process = _upgrade_slowly(BOTH_KINDS[1], "while True: pass", tmp_path)

    with process:
        _wait_for(tmp_path / "started", process)
        process.send_signal(signal.SIGINT)

        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)

        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)

    assert errors.endswith(
        "Interrupted. Changes that were not committed were rolled back.\n"
    )
    assert process.returncode == 128 + signal.SIGINT
    assert execute(sa.make_url(f"sqlite:///{tmp_path}/shop.db"), TABLES) == []


@on_one_app
def test_a_signal_ends_what_needs_no_database(db: Project) -> None:
    def rev_id() -> str:
        signal.raise_signal(signal.SIGTERM)
        return "d4"

    db.alembic.rev_id = rev_id  # type: ignore[method-assign]
    files = {*db.migrations.iterdir()}
    output = db("revision", "more", "--empty", fails=128 + signal.SIGTERM)
    assert output == "Interrupted. Changes that were not committed were rolled back.\n"
    assert {*db.migrations.iterdir()} == files


TABLES = "SELECT name FROM sqlite_master"


def _upgrade_slowly(
    backend: Backend,
    code: str,
    tmp_path: Path,
    ignored: signal.Signals | None = None,
    json: bool = False,
) -> subprocess.Popen[str]:
    """Start an upgrade that makes a table, then the file "started", and does that."""
    write_app("flask", backend, tmp_path)
    touch = f"pathlib.Path({str(tmp_path / 'started')!r}).touch()"
    steps = "\n".join([create_table("users"), touch, code])
    folder = tmp_path / "migrations"
    write_revision(folder, "a1", None, steps, top="import pathlib, time")

    def ignore() -> None:
        if ignored is not None:
            signal.signal(ignored, signal.SIG_IGN)

    options = ["--json"] if json else []
    stdout = subprocess.PIPE if json else subprocess.DEVNULL
    return _start(
        "flask", tmp_path, "upgrade", *options, stdout=stdout, preexec_fn=ignore
    )


def _start(
    framework: Framework, tmp_path: Path, *command: str, **options: Any
) -> subprocess.Popen[str]:
    """Start a command of the group."""
    # A signal in the midst of a garbage collection can hang what measures coverage.
    environ = {
        name: value
        for name, value in environ_of(tmp_path).items()
        if not name.startswith("COVERAGE_")
    }
    return subprocess.Popen(
        [sys.executable, "-m", framework, "--app", "shop:create_app", "db", *command],
        cwd=tmp_path,
        env=environ,
        **{"stdout": subprocess.PIPE, **options},
        stderr=subprocess.PIPE,
        text=True,
    )


def _wait_for(file: Path, process: subprocess.Popen[str]) -> None:
    for _ in range(400):
        if file.exists() or process.poll() is not None:
            break

        time.sleep(0.05)

    assert file.exists(), process.communicate()
