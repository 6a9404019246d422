"""What is shown of an upgrade while it runs, on a terminal and elsewhere."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from async_alembic import Alembic
from async_alembic.cli import progress
from async_alembic.cli import progress_lines
from async_alembic.migration import locking

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..harness import Framework
from ..harness import make_app
from ..harness import write_revision
from ..migration.sites import HOLD
from ..migration.sites import migrating
from ..migration.sites import Site
from .project import invoke
from .project import on_every_app
from .project import on_one_app
from .project import Project
from .project import run_on_terminal
from .project import TIME
from .project import write_app
from .terminal import COLUMNS
from .terminal import screen
from .terminal import Terminal
from .terminal import terminal as terminal

#: A slow statement of each database.
SLOW = {"postgresql": "SELECT pg_sleep(2.5)", "mariadb": "SELECT SLEEP(2.5)"}
SERVERS = [
    by_id("postgresql-psycopg2"),
    by_id("postgresql-asyncpg"),
    by_id("mariadb-pymysql"),
    by_id("mariadb-asyncmy"),
]


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw often, and show every statement."""
    monkeypatch.setattr(progress, "INTERVAL", 0.01)
    monkeypatch.setattr(progress_lines, "SLOW_STATEMENT", 0.0)


@contextlib.contextmanager
def calling(engine: Any, fn: Any) -> Iterator[None]:
    """Let the statement ``SELECT call()`` call a function, on SQLite."""
    sync_engine = engine.sync_engine if isinstance(engine, AsyncEngine) else engine

    def create(connection: Any, record: object) -> None:
        if isinstance(engine, AsyncEngine):
            connection.run_async(lambda c: c.create_function("call", 0, fn))
        else:
            connection.create_function("call", 0, fn)

    sa.event.listen(sync_engine, "connect", create)
    yield
    sa.event.remove(sync_engine, "connect", create)


@on_every_app
def test_on_a_terminal_one_line_is_left_of_each_revision(
    db: Project, terminal: Terminal
) -> None:
    terminal.run(db.app, "upgrade")
    terminal.close()
    lines = terminal.screen
    assert len(lines) == 3

    for number, revision in enumerate(["a1", "b2", "c3"], 1):
        text = rf"{number} of 3: upgrade {revision}, Revision {revision}\. {TIME}"
        assert re.fullmatch(text, lines[number - 1])

    # Yellow, and green.
    assert "upgrade \x1b[33ma1\x1b[0m, Revision a1.\x1b[32m (" in terminal.written


@on_every_app
@pytest.mark.usefixtures("fast")
def test_the_statement_in_flight_is_shown_in_one_line_and_gone_at_the_end(
    db: Project, terminal: Terminal
) -> None:
    """Without its parameters, which may be secret."""
    write_revision(
        db.migrations,
        "d4",
        "c3",
        "op.get_bind().execute(sa.text('''SELECT\n call()\n, :password'''),"
        " {'password': 'hunter2'})",
    )
    shown = "upgrade d4, Revision d4. [SELECT call() , ?]"

    with calling(db.engine, lambda: terminal.wait_for(shown)):
        terminal.run(db.app, "upgrade")

    terminal.close()
    assert "hunter2" not in terminal.written
    assert len(terminal.screen) == 4
    assert "SELECT" not in "".join(terminal.screen)


@on_every_app
@pytest.mark.usefixtures("fast")
def test_a_clock_runs_while_a_revision_runs(db: Project, terminal: Terminal) -> None:
    """Also while nothing comes from the migration, which has the only loop."""
    code = "op.get_context().opts['wait']()"
    write_revision(db.migrations, "d4", "c3", code)
    wait = lambda: terminal.wait_for("d4, Revision d4. (1 s)")  # noqa: E731
    db.app.config["ALEMBIC_CONTEXT"]["wait"] = wait
    terminal.run(db.app, "upgrade")
    terminal.close()
    assert re.fullmatch(rf"4 of 4: upgrade d4, .*\. {TIME}", terminal.screen[3])


@on_one_app
@pytest.mark.usefixtures("fast")
def test_a_line_that_is_drawn_again_fits_on_the_terminal(
    db: Project, terminal: Terminal
) -> None:
    """Where it does not fit, it would be left behind, line by line. What moves the
    cursor is not written.
    """
    path = write_revision(
        db.migrations, "d4", "c3", "op.execute('''SELECT call() --\x1b[2J''')"
    )
    path.write_text(path.read_text().replace("Revision d4.", "移行" * 40))

    with calling(db.engine, lambda: terminal.wait_for("移行")):
        terminal.run(db.app, "upgrade")

    terminal.close()
    drawn = [text for text in terminal.written.split("\r") if "\n" not in text]
    assert max(map(progress_lines._width, drawn)) < COLUMNS
    assert "\x1b[2J" not in terminal.written


@on_every_app
def test_a_failure_is_shown_on_the_line(db: Project, terminal: Terminal) -> None:
    write_revision(db.migrations, "d4", "c3", "op.execute('SELEKT 1')")

    with pytest.raises(Exception, match="SELEKT"):
        terminal.run(db.app, "upgrade")

    terminal.close()
    assert terminal.screen[-1] == "4 of 4: upgrade d4, Revision d4. failed"
    assert "\x1b[31m failed" in terminal.written


@on(SERVERS[:2])
def test_a_retry_begins_a_new_line(
    backend: Backend, engines: EngineFactory, tmp_path: Path
) -> None:
    """A revision that could not get a lock is shown once for each attempt."""
    engine = engines(backend)
    app = make_app("flask", tmp_path, ALEMBIC_RETRIES=1)
    Alembic(app, metadatas=sa.MetaData(), engines=engine)
    code = (
        "tried = op.get_context().opts['tried']\ntried.append(1)\n"
        "if len(tried) == 1:\n"
        '    op.execute("DO $$ BEGIN RAISE lock_not_available; END $$")'
    )
    write_revision(tmp_path / "migrations", "a1", None, code)
    app.config["ALEMBIC_CONTEXT"]["tried"] = []
    lines = invoke(app, "db", "upgrade").stdout.splitlines()
    assert lines[0] == "upgrade a1, Revision a1. failed"
    assert re.fullmatch(rf"upgrade a1, Revision a1\. {TIME}", lines[1])


@on(SERVERS)
def test_it_is_shown_who_is_waited_for(
    backend: Backend,
    engines: EngineFactory,
    tmp_path: Path,
    terminal: Terminal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(locking, "FIRST_SIGNAL", 0.1)
    first = Site(engines(backend), tmp_path / "one")
    second = Site(engines(backend, first.engine.url), tmp_path / "two")
    first.history(HOLD)
    second.history("pass")

    with ThreadPoolExecutor(1) as executor:
        with migrating(first):
            done = executor.submit(terminal.run, second.app, "upgrade")
            terminal.wait_for("waiting for database 'default': pid ")

        done.result()

    terminal.close()
    assert terminal.screen == ["Nothing to upgrade."]


@on_every_app
@pytest.mark.parametrize("term", ["", "dumb"])
def test_elsewhere_one_plain_line_is_written_for_each_revision(
    term: str, db: Project, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a pipe, and on a terminal that cannot draw a line again."""
    if term:
        monkeypatch.setenv("TERM", term)
        monkeypatch.setenv("NO_COLOR", "1")
        terminal.run(db.app, "upgrade")
        terminal.close()
        written = terminal.written
    else:
        written = db("upgrade")

    assert written.count("\n") == 3
    assert "\r" not in written
    assert "\x1b" not in written


@on_every_app
def test_output_that_nobody_reads_does_not_hold_up_the_migration(
    db: Project,
) -> None:
    """Its locks would keep the app waiting as well."""
    reading_end, writing_end = os.pipe()
    size = fcntl.fcntl(writing_end, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writing_end, b"." * size)

    with (
        open(reading_end, "rb", 0) as pipe,
        ThreadPoolExecutor(1) as executor,
        open(writing_end, "w", 1) as stdout,
        contextlib.redirect_stdout(stdout),
    ):
        group = db.app.cli.commands["db"]
        done = executor.submit(group.main, ["upgrade"], standalone_mode=False)
        deadline = time.monotonic() + 20

        while db.versions != ["c3"]:
            assert time.monotonic() < deadline
            time.sleep(0.01)

        assert not done.done()
        written = pipe.read(size)

        while written.count(b"\n") < 3:
            written += pipe.read(size)

        done.result()


@on_every_app
def test_no_thread_is_left(db: Project) -> None:
    db("upgrade")
    names = [thread.name for thread in threading.enumerate()]
    assert "async_alembic.progress" not in names


@on_every_app
def test_without_an_output_the_migration_runs(
    db: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a service of Windows, which has none."""
    monkeypatch.setattr("sys.stdout", None)
    group = db.app.cli.commands["db"]
    group.main(["upgrade"], standalone_mode=False)
    assert db.versions == ["c3"]


@pytest.mark.full
@on(SERVERS)
def test_a_slow_statement_of_a_server_is_shown(
    backend: Backend, engines: EngineFactory, tmp_path: Path
) -> None:
    """In a process of its own, with the times of the real thing."""
    framework: Framework = "quart" if backend.is_async else "flask"
    write_app(framework, backend, tmp_path, engines(backend).url)
    slow = SLOW[backend.database]
    write_revision(tmp_path / "migrations", "a1", None, f"op.execute({slow!r})")
    shown = run_on_terminal(
        *(tmp_path, "-m", framework, "--app", "shop:create_app", "db", "upgrade"),
        answers="",
    )
    assert f"[{slow}]" in shown
    assert re.search(r"\(2 s\)", shown)
    # asyncmy prints warnings of the server itself.
    assert re.fullmatch(r"upgrade a1, Revision a1\. \(2\.\d s\)", screen(shown)[-1])
    assert "SLEEP" not in "".join(screen(shown)).upper()
