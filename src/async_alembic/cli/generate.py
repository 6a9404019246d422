"""Commands that write files."""

from __future__ import annotations

import typing as t

import click

from .inspect import check_up_to_date
from .options import label_option
from .output import echo
from .output import format_path
from .output import is_terminal

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
@click.option("--empty", is_flag=True, help="Write a revision without operations.")
@click.option(
    "-b", "--branch", default="default", help="The named branch to add it to."
)
@click.option(
    "-p",
    "--parent",
    multiple=True,
    default=["head"],
    help="The parent revision; repeat it for several.",
)
@click.option("--splice", is_flag=True, help="Allow a parent that is not a head.")
@click.option(
    "-d",
    "--depend",
    multiple=True,
    help="A revision that it depends on; repeat it for several.",
)
@label_option
@click.option("--path", help="The folder to write it to.")
@click.option("--rev-id", help="Its id, instead of a generated one.")
@click.option(
    "--drop",
    multiple=True,
    metavar="TABLE",
    help="A table to drop that is in no model and that no revision has created;"
    " repeat it for several. On a terminal, you are asked.",
)
def revision(alembic: Migrations, /, message: str, **options: t.Any) -> None:
    """Write a revision.

    Its operations are the differences between models and database.
    """
    options["depend"] = options["depend"] or None

    if is_terminal() and not (options["empty"] or options["drop"]):
        options["drop"] = _ask_what_to_drop(alembic)

    scripts = alembic.revision(message, **options)

    if not scripts:
        echo("No changes detected, so no revision was written.")

    for script in scripts:
        echo(f"Created {format_path(script.path)}")


def _ask_what_to_drop(alembic: Migrations) -> list[str]:
    check_up_to_date(alembic)
    found = alembic.unknown_tables()
    tables = [table for tables in found.values() for table in tables]

    if not tables:
        return []

    echo("These tables are in no model, and no revision has created them:")

    for table in tables:
        echo(f"  {table}")

    answer = click.prompt(
        "Which of them shall the revision drop? Names, 'all' or 'none'", default="none"
    )
    return {"none": [], "all": tables}.get(answer, answer.replace(",", " ").split())


@click.command()
@click.pass_obj
@click.argument("revisions", nargs=-1)
@click.option("-m", "--message", help="What the revision does.")
@label_option
@click.option("--splice", is_flag=True, help="Allow revisions that are not heads.")
def merge(alembic: Migrations, /, revisions: tuple[str, ...], **options: t.Any) -> None:
    """Write a revision that merges others.

    Merges REVISIONS; all heads by default.
    """
    script = alembic.merge(revisions or "heads", **options)

    if script is None:
        reason = "one revision was given" if revisions else "there is one head"
        echo(f"Nothing to merge: {reason}.")
    else:
        echo(f"Created {format_path(script.path)}")
