"""What ``docs/how-to/servers.md`` says of the servers, with the files and commands that
it shows. It names their versions: if a test fails with another one, change the page.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from .conftest import require
from .servers.base import free_port
from .test_docs import blocks_of

PAGE = Path(__file__).parents[1] / "docs/how-to/servers.md"
#: Each writes down that it was applied. Applied twice, the first one fails as well.
REVISIONS = {
    "a1": """
revision, down_revision = "a1", None

def upgrade():
    op.create_table("user", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("CREATE TABLE applied (revision TEXT)")
    op.execute("INSERT INTO applied VALUES ('a1')")
    open("begun", "w").close()

    while os.path.exists("hold"):
        # An interrupt of "quart db upgrade" arrives at a statement.
        op.execute("SELECT 1")
        time.sleep(0.01)
""",
    "b1": """
revision, down_revision = "b1", "a1"

def upgrade():
    op.execute("INSERT INTO applied VALUES ('b1')")

    if os.path.exists("fail"):
        op.execute("SELECT no_such_column")
""",
}
IMPORTS = "import os, time\nimport sqlalchemy as sa\nfrom alembic import op\n"
T = TypeVar("T")
#: How many servers start at the same time, as much of their start is waiting.
AT_ONCE = 4

pytestmark = pytest.mark.full


@dataclass
class Row:
    """A row of the page's table.

    :param codes: The exit codes after a failed migration.
    :param on_sigterm: What happens on ``SIGTERM`` during a migration.
    """

    command: str
    codes: set[int]
    on_sigterm: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.command)

    @property
    def uses_flask(self) -> bool:
        return self.words[-1] == "serve:app"

    @property
    def missing(self) -> str | None:
        for module in self.words[0], "uvicorn_worker":
            if module in self.command and importlib.util.find_spec(module) is None:
                return f"'{module}' is not installed."

        return None


def all_rows() -> list[Row]:
    cells = r"^\| `(\w+ .+?)` \| (\d[\d or]*) \| .+? \| (.+?) \|$"
    found = re.findall(cells, PAGE.read_text(), re.MULTILINE)
    return [
        Row(command, {*map(int, codes.split(" or "))}, then)
        for command, codes, then in found
    ]


def rows_of(*commands: str) -> list[Row]:
    """The rows of some commands, without the app."""
    found = [row for row in all_rows() if shlex.join(row.words[:-1]) in commands]
    assert len(found) == len(commands)
    return found


class Server:
    """One that runs in a folder with an app of the page.

    :param row: What is run.
    :param folder: An empty folder.
    """

    def __init__(self, row: Row, folder: Path) -> None:
        self.row = row
        self.folder = folder
        self.log = folder / "log"
        self.database = folder / "app.db"
        self.write_files()

        self.port = free_port()

    def write_files(self) -> None:
        blocks = [block for block in blocks_of(PAGE) if block.file_name]
        apps = [block for block in blocks if block.file_name == "app.py"]
        others = [block for block in blocks if block.file_name == "serve.py"]
        (self.folder / "migrations").mkdir()

        for block in apps[self.row.uses_flask], *others:
            assert block.file_name is not None
            (self.folder / block.file_name).write_text(block.code)

        for name, code in REVISIONS.items():
            (self.folder / "migrations" / f"{name}.py").write_text(IMPORTS + code)

    def hold(self) -> None:
        """Let the first revision wait, until :meth:`release` is called."""
        (self.folder / "hold").touch()

    def release(self) -> None:
        (self.folder / "hold").unlink()

    def fail(self) -> None:
        """Let the second revision fail."""
        (self.folder / "fail").touch()

    @contextmanager
    def run(self, *command: str) -> Iterator[subprocess.Popen[bytes]]:
        """Start a process in the folder, by default the server.

        At the end, it is killed with all that it has started, if the test has failed.
        """
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        # Gunicorn makes a socket in the user's folder.
        env = {"HOME": str(self.folder), "PATH": path, "QUART_APP": "app"}

        with self.log.open("wb") as log:
            process = subprocess.Popen(
                command or self.command,
                cwd=self.folder,
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

            process.wait()

    @property
    def command(self) -> list[str]:
        program, *args = self.row.words
        options = ["--port", str(self.port)]

        if program in {"gunicorn", "hypercorn"}:
            options = ["--bind", f"127.0.0.1:{self.port}"]
        elif program == "uvicorn":
            # For so long it asks a worker that has ended whether it is alive.
            options += ["--timeout-worker-healthcheck", "1"]

        return [sys.executable, "-m", program, *options, *args]

    def get(self) -> str:
        """What it answers. It waits until it does."""
        deadline = time.monotonic() + 60

        while True:
            try:
                url = f"http://127.0.0.1:{self.port}/"

                with urllib.request.urlopen(url, timeout=30) as response:
                    return str(response.read().decode())
            except OSError:
                assert time.monotonic() < deadline, self.log.read_text()

            time.sleep(0.05)

    def wait_for(self, name: str) -> None:
        """Wait until a file is there."""
        deadline = time.monotonic() + 60

        while not (self.folder / name).exists():
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)

    def query(self, statement: str) -> list[str]:
        with closing(sqlite3.connect(self.database)) as connection:
            return [value for (value,) in connection.execute(statement)]


def on_each(
    rows: Iterable[Row], folder: Path, work: Callable[[Server], T]
) -> dict[str, T]:
    """Do the same on several servers.

    :return: What was returned for each command.
    """
    servers = []

    for number, row in enumerate(rows):
        require(row.missing)
        (folder / str(number)).mkdir()
        servers.append(Server(row, folder / str(number)))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(work, servers))

    return {server.row.command: of for server, of in zip(servers, found, strict=True)}


def test_workers_that_start_at_once_apply_each_revision_once(tmp_path: Path) -> None:
    def serve(server: Server) -> tuple[str, list[str]]:
        with server.run() as process:
            answer = server.get()
            process.terminate()
            process.wait(60)
            return answer, server.query("SELECT revision FROM applied")

    rows = rows_of(
        "hypercorn --workers 2",
        "uvicorn --workers 2",
        "granian --interface asgi --workers 2",
        "gunicorn --workers 2",
        "gunicorn --workers 2 --worker-class uvicorn_worker.UvicornWorker",
    )

    for command, (answer, applied) in on_each(rows, tmp_path, serve).items():
        assert "current" in answer, command
        assert applied == ["a1", "b1"], command


def test_a_failed_migration_ends_each_server_with_the_code_of_the_table(
    tmp_path: Path,
) -> None:
    def fail(server: Server) -> int:
        server.fail()

        with server.run() as process:
            status = process.wait(60)

        assert "no such column: no_such_column" in server.log.read_text()
        assert server.query("SELECT name FROM sqlite_master") == []
        return status

    rows = rows_of(
        "hypercorn --workers 2",
        "hypercorn --workers 0",
        "uvicorn --workers 2",
        "uvicorn",
        "granian --interface asgi --workers 2",
        "gunicorn --workers 2",
        "gunicorn --workers 2 --preload",
        "gunicorn --workers 2 --worker-class uvicorn_worker.UvicornWorker",
    )
    found = on_each(rows, tmp_path, fail)
    assert [row for row in rows if found[row.command] not in row.codes] == []


def test_a_server_that_is_told_to_stop_does_with_a_migration_as_the_table_says(
    tmp_path: Path,
) -> None:
    def stop(server: Server) -> tuple[str, list[str]]:
        server.hold()

        with server.run() as process:
            server.wait_for("begun")
            process.terminate()

            try:
                process.wait(1)
                return "stops at once", server.query("SELECT name FROM sqlite_master")
            except subprocess.TimeoutExpired:
                server.release()

            process.wait(60)
            what = "goes on to its end, then stops"
            return what, server.query("SELECT revision FROM applied")

    rows = rows_of("hypercorn --workers 2", "gunicorn --workers 2 --preload")
    hypercorn, gunicorn = on_each(rows, tmp_path, stop).values()
    assert hypercorn == (rows[0].on_sigterm, ["a1", "b1"])
    assert gunicorn == (rows[1].on_sigterm, [])


def test_the_script_of_docker_passes_the_signal_on(tmp_path: Path) -> None:
    """And runs what it is given, once the migration is done."""
    server = Server(rows_of("hypercorn --workers 2")[0], tmp_path)
    shown = re.search(r"^```sh\n(#!/bin/sh\n.+?)^```$", PAGE.read_text(), re.M | re.S)
    assert shown is not None
    (tmp_path / "entrypoint.sh").write_text(shown[1])
    command = "sh", "entrypoint.sh", "echo", "serving"
    server.hold()

    with server.run(*command) as process:
        server.wait_for("begun")
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM

    output = server.log.read_text()
    assert "Changes that were not committed were rolled back." in output
    assert "serving" not in output
    assert server.query("SELECT name FROM sqlite_master") == []
    server.release()

    with server.run(*command) as process:
        assert process.wait(60) == 0

    assert server.log.read_text().endswith("serving\n")
    assert server.query("SELECT revision FROM applied") == ["a1", "b1"]
