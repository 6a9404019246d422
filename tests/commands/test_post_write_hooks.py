"""Programs and functions that are run on new revision files."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.script import write_hooks

from async_alembic import AsyncAlembicError
from async_alembic import RevisionFileError

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..generating import table
from ..harness import Caller
from ..projects import Project


@pytest.fixture
def stamp_hook(tmp_path: Path) -> Path:
    """A program that adds a line with its arguments to the file it is given last."""
    path = tmp_path / "stamp.py"
    path.write_text(
        "import sys\n"
        "with open(sys.argv[-1], 'a') as f:\n"
        "    f.write(f'# {sys.argv[1:-1]}\\n')\n"
    )
    return path


class TestPostWriteHooks:
    def test_programs_are_run_on_the_new_file_in_order(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller, stamp_hook: Path
    ) -> None:
        copy = tmp_path / "copy.txt"
        project = Project(
            tmp_path / "app",
            engines,
            post_write_hooks={
                "hooks": "first, second, third",
                "first.type": "exec",
                "first.executable": sys.executable,
                "first.options": f"{stamp_hook} first REVISION_SCRIPT_FILENAME",
                "second.type": "exec",
                "second.executable": sys.executable,
                "second.options": f"{stamp_hook} --two 2 REVISION_SCRIPT_FILENAME",
                # The one entry point that Alembic's requirements bring.
                "third.type": "console_scripts",
                "third.entrypoint": "mako-render",
                "third.options": f"--output-file {copy} REVISION_SCRIPT_FILENAME",
            },
        )
        (script,) = caller(project.alembic, "revision", "one", empty=True)
        text = Path(script.path).read_text()
        assert text.endswith("# ['first']\n# ['--two', '2']\n")
        assert copy.read_text().strip() == text.strip()
        caller(project.alembic, "revision", "two", empty=True, branch="other")
        merged = caller(project.alembic, "merge")
        assert Path(merged.path).read_text().endswith("# ['--two', '2']\n")

    def test_what_a_hook_changed_is_returned(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller, registered: Any
    ) -> None:
        def hook(path: str, options: dict[str, str]) -> None:
            file = Path(path)
            file.write_text(file.read_text().replace("first", options["word"]))

        registered["replace"] = hook
        project = Project(
            tmp_path,
            engines,
            post_write_hooks={
                "hooks": "words",
                "words.type": "replace",
                "words.word": "another",
            },
        )
        (script,) = caller(project.alembic, "revision", "first", empty=True)
        assert script.doc == "another"

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({"first.type": "nowhere"}, "nowhere"),
            ({}, "first.type"),
            ({"first.type": "exec"}, "first.executable"),
            ({"first.type": "exec", "first.executable": "no-such-program"}, "no-such"),
            ({"first.type": "console_scripts"}, "first.entrypoint"),
            (
                {"first.type": "console_scripts", "first.entrypoint": "nowhere"},
                "nowhere",
            ),
            ({"first.type": "failing"}, "the hook's own"),
        ],
    )
    def test_a_hook_that_cannot_run_is_named_and_leaves_no_file(
        self,
        tmp_path: Path,
        engines: EngineFactory,
        caller: Caller,
        registered: Any,
        options: dict[str, str],
        reason: str,
    ) -> None:
        def fail(path: str, options: object) -> None:
            raise OSError("the hook's own")

        registered["failing"] = fail
        project = Project(
            tmp_path, engines, post_write_hooks={"hooks": "first", **options}
        )

        with pytest.raises(AsyncAlembicError, match=reason) as caught:
            caller(project.alembic, "revision", "one", empty=True)

        assert "'first'" in str(caught.value)
        assert project.files() == {}
        assert caller(project.alembic, "heads") == ()

    def test_a_hook_that_breaks_the_file_is_told_with_its_line(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller, registered: Any
    ) -> None:
        def hook(path: str, options: object) -> None:
            Path(path).write_text("revision = 'a'\n1 / 0\n")

        registered["break"] = hook
        project = Project(
            tmp_path,
            engines,
            post_write_hooks={"hooks": "first", "first.type": "break"},
        )

        with pytest.raises(RevisionFileError) as caught:
            caller(project.alembic, "revision", "one", empty=True)

        assert caught.value.line == 2

    @pytest.fixture
    def registered(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
        """Alembic's hooks, to add some to: its decorator does so for good."""
        hooks = dict(write_hooks._registry)
        monkeypatch.setattr(write_hooks, "_registry", hooks)
        yield hooks

    @on([by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")])
    @pytest.mark.parametrize("empty", [True, False])
    def test_a_slow_hook_does_not_stall_the_loop(
        self,
        backend: Backend,
        tmp_path: Path,
        engines: EngineFactory,
        registered: Any,
        runner: asyncio.Runner,
        empty: bool,
    ) -> None:
        registered["slow"] = lambda path, options: time.sleep(0.3)
        project = Project(
            tmp_path,
            engines,
            backend=backend,
            metadatas=table(),
            post_write_hooks={"hooks": "slow", "slow.type": "slow"},
        )

        async def main() -> int:
            ticks = 0
            writing = asyncio.create_task(project.alembic.revision("one", empty))

            while not writing.done():
                await asyncio.sleep(0.01)
                ticks += 1

            assert len(writing.result()) == 1
            return ticks

        assert runner.run(main()) > 10
