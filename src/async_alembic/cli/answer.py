"""What a command answers, as text or as JSON."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import datetime as dt
import json
import typing as t

from ..history.headers import as_tuple
from .output import echo

if t.TYPE_CHECKING:
    from alembic.script import Script

    from .invocation import Invocation

#: The version of the JSON. It grows when a field changes its meaning or goes.
SCHEMA_VERSION = 1
#: The attributes of errors that the JSON has.
_ERROR_FIELDS = ("database", "revision", "path", "line")


@dataclasses.dataclass(frozen=True)
class Answer:
    """The answer of a command.

    :param result: What ``--json`` prints.
    :param lines: What is printed otherwise.
    :param is_note: Whether the lines say what was done, which ``--quiet`` leaves out.
    :param exit_code: The exit code.
    """

    result: c.Mapping[str, t.Any] | None = None
    lines: c.Iterable[str] = ()
    is_note: bool = False
    exit_code: int = 0

    def print(self, command: str, invocation: Invocation) -> None:
        """Print it as the options of the command line say."""
        if invocation.json:
            print_json(command, result=self.result)
        elif not (self.is_note and invocation.quiet):
            for line in self.lines:
                echo(line)


def print_error(command: str, error: BaseException) -> None:
    """Print an error as JSON."""
    fields = {name: getattr(error, name, None) for name in _ERROR_FIELDS}
    kind = type(error).__name__
    print_json(command, error={"type": kind, "message": str(error) or kind, **fields})


def print_json(command: str, **content: object) -> None:
    document = {"version": SCHEMA_VERSION, "command": command, **content}
    echo(json.dumps(document, indent=2, default=_encode))


def _encode(value: t.Any) -> object:
    # By its type: Alembic's scripts and ours have no class in common.
    if hasattr(type(value), "down_revision"):
        return _encode_revision(value)

    if isinstance(value, dt.datetime):
        return value.isoformat()

    names = [field.name for field in dataclasses.fields(value)]
    return {name: getattr(value, name) for name in names}


def _encode_revision(script: Script) -> dict[str, t.Any]:
    return {
        "id": script.revision,
        "parents": as_tuple(script.down_revision),
        "children": sorted(script.nextrev),
        "depends_on": as_tuple(script.dependencies),
        "labels": sorted(script.branch_labels),
        "message": script.doc,
        "path": script.path,
        **({"changes": changes} if (changes := vars(script).get("changes")) else {}),
    }
