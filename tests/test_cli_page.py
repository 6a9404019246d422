"""``docs/reference/cli.md`` begins with commands for what one wants to do."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from async_alembic.cli.group import LazyCommands

PAGE = Path(__file__).parents[1] / "docs/reference/cli.md"
TABLE = re.findall(r"^\| .+ \| (`db .+) \|$", PAGE.read_text(), re.MULTILINE)
COMMANDS = [command for row in TABLE for command in re.findall(r"`([^`]+)`", row)]


def test_commands_are_found() -> None:
    assert len(COMMANDS) > 20


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_exists_with_its_options(line: str) -> None:
    db, name, *words = shlex.split(line)
    command = LazyCommands()[name]
    known = {option for param in command.params for option in param.opts}
    assert db == "db" and {word for word in words if word[:1] == "-"} <= known
    takes_arguments = any(isinstance(p, click.Argument) for p in command.params)
    assert takes_arguments or all(word[:1] == "-" or word.isdigit() for word in words)
