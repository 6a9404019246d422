"""When to print in colour, and what is in which: as ``git`` has it."""

from __future__ import annotations

import os
import re

import click

#: The values of ``--color``, as click has them; ``None`` is for terminals only.
CHOICES: dict[str, bool | None] = {"auto": None, "always": True, "never": False}


def color_from_environ() -> bool | None:
    """Return what the environment says. See https://no-color.org."""
    if os.environ.get("NO_COLOR"):
        return False

    return True if os.environ.get("FORCE_COLOR") else None


def set_color(ctx: click.Context, color: bool | None) -> None:
    """Set whether a command, and the group it is in, print in colour."""
    context: click.Context | None = ctx

    while context is not None:
        context.color = color
        context = context.parent


def style_id(text: str, revision: str, *, bold: bool = False) -> str:
    """Colour the id of a revision where it first stands in a text."""
    styled = click.style(revision, fg="yellow", bold=bold or None)
    pattern = rf"(?<!\S){re.escape(revision)}(?![^\s,])"
    return re.sub(pattern, lambda match: styled, text, count=1)


def style_done(text: str) -> str:
    return click.style(text, fg="green")


def style_failed(text: str) -> str:
    return click.style(text, fg="red")


def style_aside(text: str) -> str:
    return click.style(text, dim=True)
