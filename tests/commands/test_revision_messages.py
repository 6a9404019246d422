"""The messages of new revisions, and the names of their files."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st

from ..backends import EngineFactory
from ..generating import table
from ..harness import Caller
from ..projects import docstring
from ..projects import names
from ..projects import Project


class TestMessages:
    @pytest.mark.parametrize(
        "metadatas",
        [table(), {"default": table("users"), "log": table("events")}],
        ids=["generic", "multidb"],
    )
    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(message=st.text(st.characters(codec="utf-8"), max_size=60))
    @example(message='it\'s "quoted"')
    @example(message='"""')
    @example(message='""""')
    @example(message='"')
    @example(message='a\\"""b\\"')
    @example(message="trailing \\")
    @example(message="\\N{DASH} \\x41 \\u0041 \\")
    @example(message="${1 / 0} <% raise %> ## % if\n% if True:\n## gone")
    @example(message="100% of %(rev)s %s %%")
    @example(message="two\nlines\n\nand a paragraph")
    @example(message="\n\n  indented\n")
    @example(message="\r\n\r \v\f\x1c\x1d\x1e\x85\u2028\u2029")
    @example(message="\0\x01\x1b\x7f\ufeff\u200b\u202e")
    @example(message="Größe 表 🚀")
    @example(message="/etc/passwd ../../up")
    @example(message="x" * 300)
    @example(message="")
    @example(message="# coding: latin-1")
    @example(message="ends in a blank \t")
    @example(message=" \ta\tb")
    def test_any_message_can_be_read_back(
        self,
        metadatas: Any,
        engines: EngineFactory,
        runner: asyncio.Runner,
        message: str,
    ) -> None:
        with tempfile.TemporaryDirectory() as root:
            project = Project(Path(root), engines, metadatas=metadatas)
            (script,) = project.alembic.sync.revision(message)
            assert docstring(script) == message
            # Python 3.13 writes the blanks of a docstring in its own way.
            read = " ".join(script.longdoc.split())
            assert read.startswith(" ".join(message.split()))
            assert names(project.alembic.sync.upgrade()) == [script.revision]
            # As another process reads it.
            other = Project(Path(root), engines, metadatas=metadatas)
            assert names(other.alembic.sync.heads()) == [script.revision]

            for engine in (*project.engines.values(), *other.engines.values()):
                engine.dispose()

    def test_a_message_that_is_no_text_leaves_a_valid_file(
        self, project: Project, caller: Caller
    ) -> None:
        """Half of a character, as a terminal of another encoding gives it. Python 3.13
        takes none in a docstring, not even escaped.
        """
        (script,) = caller(project.alembic, "revision", "users \udce9 and", empty=True)
        assert docstring(script).startswith("users ")
        assert docstring(script).endswith(" and")
        assert names(caller(project.alembic, "upgrade")) == [script.revision]

    def test_a_merge_has_a_message_too(self, project: Project, caller: Caller) -> None:
        for branch in "one", "two":
            caller(project.alembic, "revision", branch, empty=True, branch=branch)

        script = caller(project.alembic, "merge", message='the "two" \\ ${of} them')
        assert docstring(script) == 'the "two" \\ ${of} them'

    def test_a_file_is_named_after_its_message(
        self, project: Project, caller: Caller
    ) -> None:
        (script,) = caller(
            project.alembic,
            "revision",
            "Add 'users' & \"größe\", 100 %\nsecond\x1b line",
            empty=True,
        )
        stem = f"{script.revision}_add_users_größe_100_second_line"
        assert Path(script.path).stem == stem
