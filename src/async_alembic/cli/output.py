"""Format and print results."""

from __future__ import annotations

import collections.abc as c
import os
import sys
import typing as t

import click

from .colour import style_done
from .colour import style_failed
from .colour import style_id

if t.TYPE_CHECKING:
    from alembic.script import Script

    from ..results import AppliedRevision
    from ..results import DataLoss


class Failure(click.ClickException):
    """An error that is printed, in red, and ends the command."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        # It is shown when the command has no context any more.
        self._color = click.get_current_context().color

    def show(self, file: t.IO[t.Any] | None = None) -> None:
        text = style_failed(f"Error: {self.format_message()}")
        echo(text, err=True, color=self._color)


def is_terminal() -> bool:
    """Return whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def echo(
    text: str, *, nl: bool = True, err: bool = False, color: bool | None = None
) -> None:
    """Print a text. What the encoding of the output does not have is replaced.

    :param color: Whether to print in colour; by default, as the current command does.
    """
    stream = sys.stderr if err else sys.stdout

    # Some processes have none, which old versions of click do not expect.
    if stream is None:
        return

    encoding = getattr(stream, "encoding", None) or "utf-8"
    text = text.encode(encoding, "replace").decode(encoding)
    click.echo(text, nl=nl, err=err, color=color)


def format_script(
    script: Script, verbose: bool, mark: str = "", *, parents: bool = True
) -> str:
    """Describe a revision as Alembic's commands do.

    :param script: The revision.
    :param verbose: Whether to tell all of it, in several lines.
    :param mark: What to add to its id, such as ``" (current)"``.
    :param parents: Whether to name its parents.
    """
    text = script.cmd_format(
        verbose,
        include_branches=True,
        include_parents=parents,
        tree_indicators=True,
    )
    first, end, rest = text.partition("\n")
    first = style_id(first, script.revision, bold=bool(mark))
    first += style_done(mark) if mark else ""
    return f"{first}{end}{rest}" if verbose else f"{first}, {script.doc}"


def format_current(script: Script, current: dict[str, tuple[Script, ...]]) -> str:
    """Return the mark of a revision that databases are at.

    :param script: The revision.
    :param current: The current revisions of each database, by its name.
    """
    names = [name for name, scripts in current.items() if script in scripts]

    if not names:
        return ""

    return " (current)" if len(current) == 1 else f" (current: {', '.join(names)})"


def format_applied(applied: AppliedRevision) -> str:
    """Describe a revision that was run."""
    parts = [
        f"{applied.applied_at:%Y-%m-%d %H:%M:%S} UTC: [{applied.database}]",
        style_id(f"{applied.direction} {applied.revision}", applied.revision),
        f"({applied.seconds:.2f} s) by {applied.user}@{applied.host},",
        f"app '{applied.application}'",
    ]

    if applied.code_version:
        parts.append(f"at {applied.code_version}")

    if applied.is_edited:
        parts.append(style_failed("(edited since)"))

    return " ".join(parts)


def format_loss(loss: DataLoss) -> str:
    text = f"{'loses' if loss.is_certain else 'may lose'} data: {loss.reason}"
    return style_failed(text) if loss.is_certain else text


def title(name: str, databases: c.Sized) -> str:
    """Return what precedes a line about a database, if there are several."""
    return f"[{name}] " if len(databases) > 1 else ""


def format_path(path: str) -> str:
    relative = os.path.relpath(path)
    return path if relative.startswith(os.pardir) else relative
