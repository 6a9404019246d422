"""The ids of new revisions."""

from __future__ import annotations

import asyncio
import concurrent.futures
import re
import tempfile
from datetime import datetime
from pathlib import Path

import pytest
from alembic.script import Script
from hypothesis import example
from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st

from async_alembic import Alembic
from async_alembic import AsyncAlembicError
from async_alembic import RevisionError

from ..backends import EngineFactory
from ..harness import Caller
from ..harness import write_revision
from ..projects import names
from ..projects import Project


class TestIds:
    def test_no_id_is_made_twice_within_a_second(
        self, project: Project, caller: Caller
    ) -> None:
        made = [
            caller(project.alembic, "revision", f"number {number}", empty=True)[0]
            for number in range(5)
        ]
        assert len({script.revision for script in made}) == 5
        assert all(script.revision.isdecimal() for script in made)
        log = names(caller(project.alembic, "log"))
        assert log == names(reversed(made))
        assert log == sorted(log, reverse=True)

    def test_not_by_two_instances_either(
        self, tmp_path: Path, engines: EngineFactory
    ) -> None:
        one = Project(tmp_path / "one", engines).alembic
        two = Project(tmp_path / "two", engines).alembic
        made = [which.rev_id() for _ in range(5) for which in (one, two, one.sync)]
        assert len({*made}) == 15

    def test_not_by_threads_either(
        self, tmp_path: Path, engines: EngineFactory
    ) -> None:
        alembic = Project(tmp_path, engines).alembic

        with concurrent.futures.ThreadPoolExecutor(8) as executor:
            made = list(executor.map(lambda _: alembic.rev_id(), range(400)))

        assert len({*made}) == 400

    def test_an_id_of_another_process_is_left_out(
        self, project: Project, caller: Caller
    ) -> None:
        """Which has made it within the same second, or with a clock that is ahead."""
        ahead = [str(int(datetime.now().timestamp()) + offset) for offset in range(9)]
        after = None

        for revision in ahead:
            write_revision(project.folder, revision, after)
            after = revision

        (script,) = caller(project.alembic, "revision", "mine", empty=True)
        assert script.revision not in ahead
        assert names(caller(project.alembic, "heads")) == [script.revision]

    async def test_tasks_write_a_file_each(self, project: Project) -> None:
        alembic = project.alembic
        made = await asyncio.gather(
            *(
                alembic.revision(f"number {number}", empty=True, branch=f"b{number}")
                for number in range(8)
            )
        )
        ids = {script.revision for scripts in made for script in scripts}
        assert len(ids) == 8
        assert {*names(await alembic.heads())} == ids

    def test_threads_write_a_file_each(
        self, project: Project, runner: asyncio.Runner
    ) -> None:
        alembic = project.alembic.sync

        def write(number: int) -> list[Script]:
            return alembic.revision(f"number {number}", True, f"b{number}")

        with concurrent.futures.ThreadPoolExecutor(8) as executor:
            made = list(executor.map(write, range(8)))

        ids = {script.revision for scripts in made for script in scripts}
        assert len(ids) == 8
        assert {*names(alembic.heads())} == ids

    def test_ids_can_be_made_by_a_subclass(
        self, tmp_path: Path, engines: EngineFactory, caller: Caller
    ) -> None:
        class Numbered(Alembic):
            def rev_id(self) -> str:
                return f"{len(self.script_directory.get_heads()):04}"

        project = Project(tmp_path, engines, alembic=Numbered)
        (script,) = caller(project.alembic, "revision", "one", empty=True)
        assert script.revision == "0000"
        (script,) = caller(project.alembic, "revision", "two", empty=True)
        assert script.revision == "0001"
        assert script.down_revision == "0000"

    def test_the_function_that_makes_ids_can_be_replaced(
        self, project: Project, caller: Caller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            project.alembic, "rev_id", iter(["one", "two", "m"]).__next__
        )
        assert names(caller(project.alembic, "revision", "1", empty=True)) == ["one"]
        second = caller(project.alembic, "revision", "2", empty=True, branch="other")
        assert names(second) == ["two"]
        assert caller(project.alembic, "merge").revision == "m"

    def test_it_can_be_replaced_on_the_blocking_shell_alone(
        self, project: Project, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        alembic = project.alembic
        monkeypatch.setattr(alembic.sync, "rev_id", lambda: "abcd")
        assert names(alembic.sync.revision("one", empty=True)) == ["abcd"]
        (script,) = runner.run(alembic.revision("two", empty=True))
        assert script.revision.isdecimal()
        assert script.down_revision == "abcd"

    def test_an_id_can_be_given(self, project: Project, caller: Caller) -> None:
        (script,) = caller(project.alembic, "revision", "one", rev_id="abcd1234")
        assert script.revision == "abcd1234"
        assert Path(script.path).name == "abcd1234_one.py"

    def test_an_id_that_is_taken_is_refused(
        self, project: Project, caller: Caller
    ) -> None:
        caller(project.alembic, "revision", "one", empty=True, rev_id="abcd")
        before = project.files()

        with pytest.raises(RevisionError, match="'?abcd"):
            caller(project.alembic, "revision", "two", empty=True, rev_id="abcd")

        assert project.files() == before
        assert names(caller(project.alembic, "heads")) == ["abcd"]

    @pytest.mark.parametrize("rev_id", ["a@b", "+1", "-2", "head", "base", "heads"])
    def test_an_id_that_could_not_be_named_is_refused(
        self, project: Project, caller: Caller, rev_id: str
    ) -> None:
        with pytest.raises(AsyncAlembicError, match=re.escape(rev_id)):
            caller(project.alembic, "revision", "two", empty=True, rev_id=rev_id)

        assert project.files() == {}


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    rev_id=st.text(min_size=1, max_size=8) | st.text("01abc-+@_. ", min_size=1),
    label=st.none() | st.text(min_size=1, max_size=6) | st.text("ab1-+@ ", min_size=1),
)
@example(rev_id="a b", label=None)
@example(rev_id='it\'s "quoted"', label='it\'s "quoted"')
@example(rev_id="back\\slash", label="back\\slash")
@example(rev_id="two\nlines", label="two\nlines")
@example(rev_id='"""', label='"""')
@example(rev_id="a/b", label="a/b")
@example(rev_id="..", label="..")
@example(rev_id="${1 / 0}", label="%(x)s")
@example(rev_id="same", label="same")
@example(rev_id="abcd", label=None)
@example(rev_id="\0", label="\0")
@example(rev_id="x" * 300, label="x" * 300)
def test_any_id_and_label_work_or_are_refused(
    engines: EngineFactory, caller: Caller, rev_id: str, label: str | None
) -> None:
    """What could not be read or named later must not be written now."""
    with tempfile.TemporaryDirectory() as root:
        project = Project(Path(root), engines)
        caller(project.alembic, "revision", "first", True)
        before = project.files()

        try:
            (script,) = caller(
                project.alembic, "revision", "x", True, rev_id=rev_id, label=label
            )
        except AsyncAlembicError:
            assert project.files() == before
        else:
            assert script.revision == rev_id
            assert names(caller(project.alembic, "heads")) == [rev_id]
            target = rev_id if label is None else f"{label}@head"
            assert rev_id in names(caller(project.alembic, "upgrade", target))
            assert names(caller(project.alembic, "downgrade", -1)) == [rev_id]
            assert names(caller(project.alembic, "upgrade", rev_id)) == [rev_id]

        project.engines["default"].dispose()


def test_an_id_that_is_taken_is_counted_up(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    """As when two machines make a revision in the same second, and merge."""

    class Fixed(Alembic):
        def rev_id(self) -> str:
            return "1000"

    project = Project(tmp_path, engines, alembic=Fixed)
    made = [
        script.revision
        for message in ("one", "two", "three")
        for script in caller(project.alembic, "revision", message, empty=True)
    ]
    assert made == ["1000", "1001", "1002"]
