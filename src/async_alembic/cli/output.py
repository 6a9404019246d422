"""Format and print results."""

from __future__ import annotations

import os
import typing as t

import click

if t.TYPE_CHECKING:
    from alembic.script import Script

    from ..results import Progress


class ProgressLine:
    """Prints each revision at its start, and its duration at its end."""

    def __init__(self) -> None:
        self.is_open: bool = False

    def __call__(self, progress: Progress) -> None:
        if progress.seconds is not None:
            click.echo(f" ({_format_time(progress.seconds)})")
            self.is_open = False
            return

        script = progress.script
        described = filter(None, (script.revision, script.doc))
        text = f"{progress.direction} {', '.join(described)}"

        if progress.several:
            text = f"[{progress.database}] {text}"

        click.echo(text, nl=False)
        self.is_open = True

    def abort(self, reason: str) -> None:
        if self.is_open:
            click.echo(f" {reason}")


def echo(script: Script, verbose: bool) -> None:
    click.echo(format_script(script, verbose))


def format_script(script: Script, verbose: bool) -> str:
    return script.cmd_format(
        verbose,
        include_branches=True,
        include_doc=True,
        include_parents=True,
        tree_indicators=True,
    )


def format_path(path: str) -> str:
    relative = os.path.relpath(path)
    return path if relative.startswith(os.pardir) else relative


def _format_time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
