"""``log --graph``."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from async_alembic.cli.graph import draw

from ..harness import write_revision
from .project import on_one_app
from .project import Project


def history(*revisions: str) -> list[Any]:
    """Scripts from texts such as ``m:a,b``, which has the parents "a" and "b"."""
    scripts = []

    for text in revisions:
        revision, _, parents = text.partition(":")
        down = tuple(filter(None, parents.split(",")))
        scripts.append(SimpleNamespace(revision=revision, down_revision=down))

    return scripts


def drawn(scripts: list[Any]) -> list[str]:
    return list(draw(scripts, lambda script: script.revision))


@pytest.mark.parametrize(
    ("revisions", "expected"),
    [
        (["c:b", "b:a", "a"], ["* c", "* b", "* a"]),
        (["c:a", "b:a", "a"], ["* c", "| * b", "|/", "* a"]),
        (
            ["m:b,c", "c:a", "b:a", "a"],
            ["* m", "|\\", "| * c", "* | b", "|/", "* a"],
        ),
        (["b:a", "y:x", "a", "x"], ["* b", "| * y", "* | a", " /", "* x"]),
        (
            ["d:a", "c:b", "e:a", "b:a", "a"],
            ["* d", "| * c", "| | * e", "| * | b", "|_|/", "|/", "* a"],
        ),
    ],
)
def test_a_history_is_drawn(revisions: list[str], expected: list[str]) -> None:
    assert drawn(history(*revisions)) == expected


@st.composite
def histories(draw: st.DrawFn) -> list[Any]:
    count = draw(st.integers(1, 9))
    ids = [chr(ord("a") + number) for number in range(count)]
    return [
        SimpleNamespace(
            revision=id,
            down_revision=tuple(
                draw(st.lists(st.sampled_from(ids[n + 1 :]), max_size=3, unique=True))
                if ids[n + 1 :]
                else ()
            ),
        )
        for n, id in enumerate(ids)
    ]


@given(histories())
def test_the_lines_of_a_graph_lead_to_the_parents(scripts: list[Any]) -> None:
    expected = {script.revision: {*script.down_revision} for script in scripts}
    assert read(drawn(scripts)) == expected


def read(lines: list[str]) -> dict[str, set[str]]:
    """The parents of each revision, by following the lines downwards."""
    found: dict[str, set[str]] = {}
    #: The revisions whose lines are at each column.
    above: dict[int, set[str]] = {}

    for line in lines:
        below: dict[int, set[str]] = {}

        if "*" in line:
            column = line.index("*")
            revision = line.split()[-1]
            found[revision] = set()

            for child in above.pop(column, set()):
                found[child].add(revision)

            below = {c: above[c] for c in above if line[c] == "|"}
            below[column] = {revision}
        else:
            for column, character in enumerate(line):
                target = {"|": column, "/": column - 1, "\\": column + 1}
                source = {"|": column, "/": column + 1, "\\": column - 1}

                if character in target:
                    lane = target[character]

                    # A line that crosses others arrives where these begin.
                    if line[: column + 1].endswith("_|/"):
                        lane = line.index("_") - 1

                    came = above.get(source[character], set())
                    below[lane] = below.get(lane, set()) | came

        above = below

    return found


@on_one_app
def test_the_log_can_be_drawn(db: Project) -> None:
    write_revision(db.migrations, "d4", "b2")
    write_revision(db.migrations, "m5", ("c3", "d4"))
    db("upgrade", "b2")
    lines = db("log", "--graph", "-i").splitlines()
    assert lines[0] == "* m5 (head) (mergepoint), Revision m5."
    assert "* b2 (branchpoint) (current), Revision b2." in lines
    assert {"|\\", "|/"} <= {*lines}
    assert lines[-1] == "* a1, Revision a1."
    verbose = db("log", "--graph", "--verbose").splitlines()
    assert verbose[0] == "* Rev: m5 (head) (mergepoint)"
    assert verbose[1].startswith("| Merges: ")
