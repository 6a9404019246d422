"""Format and print results."""

from __future__ import annotations

import os
import sys
import typing as t

import click

if t.TYPE_CHECKING:
    from alembic.script import Script

    from ..results import Progress


class ProgressLine:
    """Prints each revision at its start, and its duration at its end. If that fails, as
    on a full disk or a closed pipe, nothing more is printed, and the migration goes on.
    """

    def __init__(self) -> None:
        self.is_open: bool = False
        self.is_quiet: bool = False
        self._is_broken = False

    def __call__(self, progress: Progress) -> None:
        if self.is_quiet:
            return

        if progress.seconds is not None:
            self._print(f" ({_format_time(progress.seconds)})")
            self.is_open = False
            return

        script = progress.script
        described = filter(None, (script.revision, script.doc))
        text = f"{progress.direction} {', '.join(described)}"

        if progress.several:
            text = f"[{progress.database}] {text}"

        self._print(text, nl=False)
        self.is_open = True

    def abort(self, reason: str) -> None:
        if self.is_open:
            self._print(f" {reason}")

    def _print(self, text: str, nl: bool = True) -> None:
        if self._is_broken:
            return

        try:
            echo(text, nl=nl)
        except (OSError, ValueError):
            self._is_broken = True


def is_terminal() -> bool:
    """Return whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def echo(text: str, *, nl: bool = True, err: bool = False) -> None:
    """Print a text. What the encoding of the output does not have is replaced."""
    stream = sys.stderr if err else sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    click.echo(text.encode(encoding, "replace").decode(encoding), nl=nl, err=err)


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

    if verbose:
        first, _, rest = text.partition("\n")
        return f"{first}{mark}\n{rest}"

    return f"{text}{mark}, {script.doc}"


def format_current(script: Script, current: dict[str, tuple[Script, ...]]) -> str:
    """Return the mark of a revision that databases are at.

    :param script: The revision.
    :param current: The current revisions of each database, by its name.
    """
    names = [name for name, scripts in current.items() if script in scripts]

    if not names:
        return ""

    return " (current)" if len(current) == 1 else f" (current: {', '.join(names)})"


def format_path(path: str) -> str:
    relative = os.path.relpath(path)
    return path if relative.startswith(os.pardir) else relative


def _format_time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
