"""Commands that write files."""

from __future__ import annotations

import typing as t

import click

from .options import label_option
from .output import format_path

if t.TYPE_CHECKING:
    from .protocol import Migrations


@click.command()
@click.pass_obj
def mkdir(alembic: Migrations) -> None:
    """Create the script directory if it does not exist."""
    alembic.mkdir()


@click.command()
@click.pass_obj
@click.argument("message")
@click.option("--empty", is_flag=True, help="Do not compare models and database.")
@click.option(
    "-b", "--branch", default="default", help="Use this independent branch name."
)
@click.option(
    "-p",
    "--parent",
    multiple=True,
    default=["head"],
    help="Parent revision(s) of this revision.",
)
@click.option("--splice", is_flag=True, help="Allow non-head parent revision.")
@click.option(
    "-d", "--depend", multiple=True, help="Revision(s) this revision depends on."
)
@label_option
@click.option("--path", help="Where to store the revision.")
@click.option("--rev-id", help="The id to use instead of a new one.")
def revision(alembic: Migrations, /, message: str, **options: t.Any) -> None:
    """Write a revision from the differences between models and database."""
    options["depend"] = options["depend"] or None
    scripts = alembic.revision(message, **options)

    if not scripts:
        click.echo("No changes detected, so no revision was written.")

    for script in scripts:
        click.echo(f"Created {format_path(script.path)}")


@click.command()
@click.pass_obj
@click.argument("revisions", nargs=-1)
@click.option("-m", "--message", help="What the merge does.")
@label_option
@click.option("--splice", is_flag=True, help="Allow non-head revisions.")
def merge(alembic: Migrations, /, revisions: tuple[str, ...], **options: t.Any) -> None:
    """Write a revision that merges REVISIONS; all heads by default."""
    script = alembic.merge(revisions or "heads", **options)

    if script is None:
        click.echo("Nothing to merge: there is one head.")
    else:
        click.echo(f"Created {format_path(script.path)}")
