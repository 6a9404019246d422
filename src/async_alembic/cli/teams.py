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


@command(connects=True)
@click.pass_obj
@click.argument("revisions", metavar="BASE..REVISION")
@click.option("-m", "--message", help="What the new revision does.")
def squash(alembic: Migrations, revisions: str, message: str | None) -> None:
    """Replace revisions by one that makes the same schema.

    These are the ones after BASE up to REVISION, whose id is kept. BASE is 'base' to
    begin with the first one.
    """
    base, dots, revision = revisions.partition("..")

    if not (base and dots and revision):
        raise click.UsageError("Give a range, as in 'db squash base..REVISION'.")

    done = alembic.squash(base, revision, message)
    note(f"Created {format_path(done.path)}")

    for path in done.removed:
        note(f"Removed {format_path(path)}")
