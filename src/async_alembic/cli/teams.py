"""Commands for histories that several branches of a repository add to."""

from __future__ import annotations

import dataclasses
import typing as t

import click

from .answer import Answer
from .completion import Revision
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
def rebase(alembic: Migrations, mine: str | None, onto: str | None) -> Answer:
    """Put my revisions on top of those of another branch of the repository.

    Moves those that git does not find in the branch that is merged or rebased onto, or
    those of the head MINE.
    """
    done = alembic.rebase(mine, onto)
    lines = [f"Put revision {id} on top of {done.onto}." for id in done.revisions]
    lines += [f"Wrote {format_path(path)}" for path in done.head_files]
    nothing = "Nothing to rebase: there is one head."
    return Answer(dataclasses.asdict(done), lines or [nothing], is_note=True)


@command(connects=True)
@click.pass_obj
@click.argument("revisions", metavar="BASE..REVISION")
@click.option("-m", "--message", help="What the new revision does.")
def squash(alembic: Migrations, revisions: str, message: str | None) -> Answer:
    """Replace revisions by one that makes the same schema.

    These are the ones after BASE up to REVISION, whose id is kept. BASE is 'base' to
    begin with the first one.
    """
    base, dots, revision = revisions.partition("..")

    if not (base and dots and revision):
        raise click.UsageError("Give a range, as in 'db squash base..REVISION'.")

    done = alembic.squash(base, revision, message)
    lines = [f"Created {format_path(done.path)}"]
    lines += [f"Removed {format_path(path)}" for path in done.removed]
    return Answer(dataclasses.asdict(done), lines, is_note=True)
