"""Options that several commands have."""

from __future__ import annotations

import collections.abc as c
import typing as t

import click

Decorator: t.TypeAlias = c.Callable[[t.Any], t.Any]

verbose_option: Decorator = click.option(
    "-v", "--verbose", is_flag=True, help="Show the details of each revision."
)
retry_option: Decorator = click.option(
    "--retry",
    is_flag=True,
    help="Run a half applied revision again, after it was undone by hand.",
)
resume_option: Decorator = click.option(
    "--resume",
    is_flag=True,
    help="Continue a half applied revision after the statements that are applied.",
)
label_option: Decorator = click.option(
    "-l",
    "--label",
    multiple=True,
    help="A branch label for the revision; repeat it for several.",
)
