"""What a shell is told when somebody presses Tab."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ..harness import Framework
from ..harness import on_both_frameworks
from ..harness import write_revision
from .project import BOTH_KINDS
from .project import environ_of
from .project import write_app
from .project import write_history


def complete(framework: Framework, root: Path, shell: str, words: str) -> list[str]:
    """What a shell is told about the last of these words."""
    variables = {
        f"{framework.upper()}_APP": "shop:create_app",
        f"_{framework.upper()}_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": f"{framework} {words}",
        "COMP_CWORD": str(len(words.split(" "))),
    }
    result = subprocess.run(
        [Path(sys.executable).with_name(framework)],
        cwd=root,
        env={**environ_of(root), **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stderr == ""
    return [line for line in result.stdout.splitlines() if line]


@pytest.fixture
def shop(framework: Framework, tmp_path: Path) -> Path:
    write_app(framework, BOTH_KINDS[1], tmp_path)
    write_history(tmp_path / "migrations")
    return tmp_path


@on_both_frameworks
def test_ids_of_revisions_are_completed_with_their_messages(
    framework: Framework, shop: Path
) -> None:
    lines = complete(framework, shop, "zsh", "db upgrade ")
    items = list(zip(lines[1::3], lines[2::3], strict=True))
    assert ("b2", "Revision b2.") in items
    assert ("heads", "the newest revisions of all branches") in items
    assert complete(framework, shop, "bash", "db downgrade b") == [
        *("plain,b2", "plain,base")
    ]


@pytest.mark.parametrize("framework", ["flask"])
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("db hea", ["heads"]),
        ("db history --sta", ["--start"]),
        ("db log --start c", ["c3"]),
        ("db log -r c", ["c3"]),
        ("db history -r a1:c", ["a1:c3"]),
        ("db log --rev-range :c", [":c3"]),
        ("db upgrade --sql a1:c", ["a1:c3"]),
        ("db make-migrations --head c", ["c3"]),
        ("db revision --head a", ["a1"]),
        ("db upgrade --database d", ["default"]),
        pytest.param("db -d other upgrade o", ["o1"], marks=pytest.mark.full),
        ("db upgrade -d other o", ["o1"]),
        pytest.param("db -d gone upgrade ", [], marks=pytest.mark.full),
    ],
)
def test_what_can_stand_there_is_completed(
    framework: Framework, words: str, expected: list[str], shop: Path
) -> None:
    write_revision(shop / "other", "o1")
    lines = complete(framework, shop, "bash", words)
    assert lines == [f"plain,{word}" for word in expected]
