"""Commands for histories that several branches of a repository add to."""

from __future__ import annotations

import typing as t

import click

from .completion import Revision
from .invocation import note
from .options import command
from .output import format_path

if t.TYPE_CHECKING:
    from .protocol import Migrations


@command(connects=True)
@click.pass_obj
@click.argument("mine", required=False, type=Revision())
@click.option(
    "--onto", type=Revision(), metavar="THEIRS", help="The head to put them on top of."
)
def rebase(alembic: Migrations, mine: str | None, onto: str | None) -> None:
    """Put my revisions on top of those of another branch of the repository.

    Moves those that git does not find in the branch that is merged or rebased onto, or
    those of the head MINE.
    """
    done = alembic.rebase(mine, onto)

    for revision in done.revisions:
        note(f"Put revision {revision} on top of {done.onto}.")

    for path in done.head_files:
        note(f"Wrote {format_path(path)}")

    if done.onto is None and not done.head_files:
        note("Nothing to rebase: there is one head.")
