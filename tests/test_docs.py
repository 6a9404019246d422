"""The README and each page of the documentation is followed like a user would: every
code block and every command on it, from top to bottom, in a new folder.

- A block that begins with a comment such as ``# shop/models.py`` is that file, and is
  written to the folder. If it calls ``asyncio.run()``, it is also run, unless the page
  has the command ``python shop/models.py``.
- Any other ``python`` block is run by itself, as if it was pasted into an empty file.
  So it imports all that it needs, and has no ``await`` outside of a function.
- In a ``console`` block, each line after ``$`` is a command. ``quart`` and ``flask``
  are run in this process. What is shown below a command is what it must print, apart
  from times, dates and the ids of revisions, and only a command with such a text may
  fail.
- The comment ``<!-- In a new folder. -->`` begins a new folder.
- The comments ``<!-- On PostgreSQL. -->`` and ``<!-- On MariaDB. -->`` set the variable
  ``DATABASE_URL`` to a new database on such a server.
- Blocks of other languages are shown only.

Sybil and pytest-markdown-docs run Python blocks as well, but neither the commands in
between nor the files, which is what a page on migrations is made of.
"""

from __future__ import annotations

import ast
import asyncio
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

import pytest
from click.testing import CliRunner

import async_alembic
from async_alembic import AsyncAlembicError
from async_alembic import testing

from .backends import by_id
from .backends import DatabaseFactory
from .engines import disposing_engines

TESTS = Path(__file__).parent
ROOT = TESTS.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
#: What installs packages, or serves until it is stopped, is not run.
NOT_RUN = re.compile(
    r"(python3? -m (venv|pip)|pip|uv|make|\.|source|curl|(quart|flask) run)(\s|$)"
)
NEW_FOLDER = "In a new folder"
#: The drivers of the servers that a page can ask for.
SERVERS = {
    "On PostgreSQL": by_id("postgresql-asyncpg"),
    "On MariaDB": by_id("mariadb-asyncmy"),
}
_block = re.compile(
    r"^(?P<fence>`{3,})(?P<language>\w+)\n(?P<code>.*?)^(?P=fence)$"
    rf"|^<!-- (?P<comment>{'|'.join([NEW_FOLDER, *SERVERS])})\. -->$",
    re.MULTILINE | re.DOTALL,
)
_file_name = re.compile(r"# ([\w./-]+\.(?:py|toml|ini))\n")
_runs = re.compile(r"\basyncio\.run\(")


@dataclass(frozen=True)
class Block:
    """A block of code on a page, or a comment to the reader that is this test.

    :param language: Empty for a comment.
    :param line: Where its code begins on the page.
    """

    language: str
    code: str
    line: int
    comment: str | None = None

    @property
    def file_name(self) -> str | None:
        match = _file_name.match(self.code)
        return match[1] if match else None


def blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text()

    for match in _block.finditer(text):
        line = text.count("\n", 0, match.start("code")) if match["code"] else 0
        language, code = match["language"] or "", match["code"] or ""
        yield Block(language, code, line, match["comment"])


def commands_of(block: Block) -> Iterator[tuple[str, str]]:
    """Each command with the output that is shown below it."""
    _, *parts = re.split(r"^\$ ", block.code, flags=re.MULTILINE)

    for part in parts:
        command, _, output = part.partition("\n")
        yield command, output.strip()


def generalize(output: str) -> str:
    """An output without what differs from run to run."""
    output = re.sub(r"(?<!\d)\d{10}(?!\d)", "<id>", output)
    output = re.sub(r"\d+(\.\d+)? m?s\b", "<time>", output)
    output = re.sub(r"\b\d{4}-\d\d-\d\d\b", "<date>", output)
    # Which is one line, and is wrapped on a page.
    output = re.sub(r"(?ms)^Error: .*\Z", lambda m: " ".join(m[0].split()), output)
    return "\n".join(line.rstrip() for line in output.strip().splitlines())


class Reader:
    """Does what a page says.

    :param page: The page.
    :param folder: Where the folders are made, in which it is done.
    :param monkeypatch: Undoes what the page does to this process.
    :param make_database: Returns the URL of a new database, by the comment that asks
        for it.
    """

    def __init__(
        self,
        page: Path,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        make_database: Callable[[str], str],
    ) -> None:
        self.page = page
        self.folder = folder
        self.monkeypatch = monkeypatch
        self.make_database = make_database

    def read(self) -> None:
        self.begin_new_folder()

        for block in blocks_of(self.page):
            if block.comment in SERVERS:
                url = self.make_database(block.comment)
                self.monkeypatch.setenv("DATABASE_URL", url)
            elif block.comment == NEW_FOLDER:
                self.begin_new_folder()
            elif block.language == "console":
                for command, output in commands_of(block):
                    self.run_command(command, output)
            elif block.file_name:
                self.write(block.file_name, block.code)

                if self.is_script(block):
                    runpy.run_path(block.file_name, run_name="__main__")
            elif block.language == "python":
                self.run_python(block)

    def is_script(self, block: Block) -> bool:
        command = f"$ python {block.file_name}\n"
        return bool(_runs.search(block.code)) and command not in self.page.read_text()

    def begin_new_folder(self) -> None:
        folder = self.folder / str(len(list(self.folder.iterdir())))
        folder.mkdir()
        self.change_folder(folder)
        self.forget_modules()

    def change_folder(self, folder: Path) -> None:
        self.monkeypatch.chdir(folder)
        # Where Python would find modules if it was started here.
        self.monkeypatch.syspath_prepend(Path.cwd())

    def write(self, name: str, text: str) -> None:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.forget_modules()

    def forget_modules(self) -> None:
        """Import the page's files anew, as a new process would."""
        for name, module in list(sys.modules.items()):
            if self.folder in Path(getattr(module, "__file__", None) or "/").parents:
                del sys.modules[name]

    def run_python(self, block: Block) -> None:
        # So that a traceback shows the line of the page.
        code = "\n" * block.line + block.code
        compiled = compile(code, str(self.page), "exec", dont_inherit=True)
        self.forget_modules()
        exec(compiled, {"__name__": "__main__"})

    def run_command(self, command: str, shown: str) -> None:
        if NOT_RUN.match(command):
            return

        words = shlex.split(command, comments=True)

        match words:
            case ["cd", name]:
                self.change_folder(Path(name))
                return
            case ["mkdir", *names]:
                for name in names:
                    Path(name).mkdir()
                return
            case ["rm", name]:
                Path(name).unlink()
                return
            case ["export", assignment]:
                self.monkeypatch.setenv(*assignment.split("=", 1))
                return
            case ["quart" | "flask" as program, *args]:
                status, output = self.run_cli(program, args)
            case ["python" | "pytest", *args]:
                status, output = run_process(words)
            case _:
                raise AssertionError(f"'{command}' cannot be run by this test")

        output = output.replace(f"{Path.cwd()}{os.sep}", "")

        if shown:
            assert generalize(output) == generalize(shown), command
        else:
            assert status == 0, f"{command}: {output}"

    def run_cli(self, program: str, args: list[str]) -> tuple[int, str]:
        from flask.cli import cli as flask_cli
        from quart.cli import cli as quart_cli

        cli = {"flask": flask_cli, "quart": quart_cli}[program]
        self.forget_modules()

        # A program sets variables, and inserts the folder that it finds the app in.
        with patch.dict(os.environ), patch.object(sys, "path", sys.path.copy()):
            result = CliRunner().invoke(cli, args, prog_name=program)

        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception

        return result.exit_code, result.output


def run_process(words: list[str]) -> tuple[int, str]:
    program, *args = words
    module = ["-m", "pytest", "-p", "no:cacheprovider"] if program == "pytest" else []
    done = subprocess.run(
        [sys.executable, *module, *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_everything_on_a_page_works_as_it_says(
    page: Path,
    tmp_path: Path,
    runner: asyncio.Runner,
    monkeypatch: pytest.MonkeyPatch,
    database_factory: DatabaseFactory,
) -> None:
    # A file that is written twice within a second would be taken from the cache.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def make_database(comment: str) -> str:
        url = database_factory(SERVERS[comment])
        return url.render_as_string(hide_password=False)

    reader = Reader(page, tmp_path, monkeypatch, make_database)

    with disposing_engines(runner):
        try:
            reader.read()
        finally:
            reader.forget_modules()


@pytest.mark.parametrize("module", [async_alembic, testing], ids=lambda m: m.__name__)
def test_every_public_name_is_in_the_reference(module: ModuleType) -> None:
    folder = ROOT / "docs/reference"
    pages = {folder / "testing.md"}

    if module is async_alembic:
        pages = set(folder.glob("*.md")) - pages

    text = "".join(path.read_text() for path in pages)
    names = re.findall(
        r"^\.\. auto(?:class|data|exception|function):: (\w+)$", text, re.M
    )
    assert set(names) == set(module.__all__)


def test_each_error_has_a_way_out() -> None:
    page = (ROOT / "docs/how-to/troubleshooting.md").read_text()
    errors = {
        name
        for name in async_alembic.__all__
        if isinstance(cls := getattr(async_alembic, name), type)
        and issubclass(cls, AsyncAlembicError)
    }
    assert len(errors) > 25
    assert errors - {*re.findall(r"`(\w+)`", page)} == set()


def anchors_of(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    plain = (re.sub(r"[^\w\s-]", "", title.lower()) for title in titles)
    return {re.sub(r"\s", "-", title) for title in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_absolute_links_lead_to_our_pages_and_files(page: Path) -> None:
    """The README is also shown elsewhere, so that its links are absolute."""
    site = r"https://async-alembic\.readthedocs\.io/en/latest/([\w/-]*)\.html(?:#([\w-]+))?"

    for name, anchor in re.findall(site, page.read_text()):
        target = ROOT / "docs" / f"{name}.md"
        assert target.exists(), name
        assert not anchor or anchor in anchors_of(target), f"{name}#{anchor}"

    ours = (
        r"https://github\.com/async-alembic/async-alembic/(?:blob|tree)/main/([\w./-]+)"
    )

    for name in re.findall(ours, page.read_text()):
        assert (ROOT / name).exists(), name


def ids_of(file: Path) -> Iterator[str]:
    """As pytest names them in this folder: ``test_docs.py::test_blocks_are_found``."""
    name = file.relative_to(TESTS).as_posix()
    nodes = [(name, node) for node in ast.parse(file.read_text()).body]

    for prefix, node in nodes:
        match node:
            case ast.ClassDef():
                nodes += [(f"{prefix}::{node.name}", child) for child in node.body]
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield f"{prefix}::{node.name}"


def test_each_promise_names_tests_that_exist() -> None:
    """Or nobody knows what holds it, once a test was renamed."""
    page = (ROOT / "docs/explanation/promises.md").read_text()
    promises, _, peers = page.partition("## Beside its peers")
    rows = re.findall(r"^\| (?!Promise |---)(.+) \|$", promises, re.MULTILINE)
    assert len(rows) > 50 and peers
    tests = {id for file in TESTS.rglob("test_*.py") for id in ids_of(file)}

    for row in rows:
        named = set(re.findall(r"`((?:\w+/)*test_\w+\.py::[\w:]+)`", row))
        assert named and named <= tests, row


def test_blocks_are_found() -> None:
    """Or the test above could not fail."""
    blocks = [block for page in PAGES for block in blocks_of(page)]
    commands = [command for block in blocks for command in commands_of(block)]
    assert sum(block.language == "python" for block in blocks) > 40
    assert sum(command.startswith(("quart", "flask")) for command, _ in commands) > 30
