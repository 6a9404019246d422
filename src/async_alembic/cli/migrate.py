"""Commands that change a database."""

from __future__ import annotations

import typing as t

import click

from .completion import Revision
from .invocation import note
from .options import command
from .options import resume_option
from .options import retry_option

if t.TYPE_CHECKING:
    from .protocol import Migrations


@command(connects=True)
@click.pass_obj
@click.argument("target", nargs=-1, type=Revision())
@click.option("--purge", is_flag=True, help="Empty the version table first.")
def stamp(alembic: Migrations, target: tuple[str, ...], purge: bool) -> None:
    """Set the current revision without running migrations."""
    alembic.stamp(target or "heads", purge=purge)


@command(connects=True)
@click.pass_obj
@click.argument("target", default="heads", type=Revision())
@retry_option
@resume_option
def upgrade(alembic: Migrations, target: str, retry: bool, resume: bool) -> None:
    """Apply revisions.

    Goes up to TARGET, or by a number of revisions; to all heads by default.
    """
    if not alembic.upgrade(target, retry=retry, resume=resume):
        note("Nothing to upgrade.")


# Otherwise, click would parse a negative number as an option.
@command(connects=True, context_settings={"ignore_unknown_options": True})
@click.pass_obj
@click.argument("target", default="-1", type=Revision())
@retry_option
@resume_option
def downgrade(alembic: Migrations, target: str, retry: bool, resume: bool) -> None:
    """Revert revisions.

    Goes down to TARGET, or by a number of revisions; by one by default.
    """
    if not alembic.downgrade(target, retry=retry, resume=resume):
        note("Nothing to downgrade.")
