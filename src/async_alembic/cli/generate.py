"""Commands that write and edit revisions."""

from __future__ import annotations

import collections.abc as c
import os
import typing as t

import click

from .answer import Answer
from .completion import Revision
from .options import command
from .options import label_option
from .options import refused_option
from .options import rev_id_option
from .options import splice_option
from .output import echo
from .output import format_loss
from .output import format_path
from .output import is_terminal

if t.TYPE_CHECKING:
    from alembic.script import Script

    from ..results import Change
    from .protocol import Migrations


@command(connects=True)
@click.pass_obj
@click.argument("message", required=False)
@click.option("-m", "--message", "text", help="The same as MESSAGE.")
@click.option(
    "--empty/--autogenerate",
    "--no-autogenerate",
    "empty",
    help="Write a revision without operations.",
)
@click.option(
    "-b", "--branch", default="default", help="The named branch to add it to."
)
@click.option(
    "-p",
    "--parent",
    "--head",
    multiple=True,
    default=["head"],
    type=Revision(),
    help="The parent revision; repeat it for several.",
)
@splice_option
@click.option(
    "-d",
    "--depend",
    "--depends-on",
    multiple=True,
    type=Revision(),
    help="A revision that it depends on; repeat it for several.",
)
@label_option
@click.option("--path", "--version-path", help="The folder to write it to.")
@rev_id_option
@click.option(
    "--drop",
    multiple=True,
    metavar="TABLE",
    help="A table to drop that is in no model and that no revision has created;"
    " repeat it for several. On a terminal, you are asked.",
)
@click.option(
    "--rename",
    multiple=True,
    metavar="OLD:NEW",
    help="A table that was renamed, or a column as TABLE.OLD:NEW, which keeps its data;"
    " repeat it for several. On a terminal, you are asked.",
)
@click.option(
    "--against-history",
    is_flag=True,
    help="Compare the models with what the revisions make, instead of the database.",
)
@refused_option(
    "--sql",
    "A revision is the same with and without a database: use '--empty', which needs"
    " none. 'db upgrade --sql' writes the SQL of a revision.",
)
def revision(
    alembic: Migrations, /, message: str | None, text: str | None, **options: t.Any
) -> Answer:
    """Write a revision.

    Its operations are the differences between models and database.
    """
    if message and text:
        raise click.UsageError("There are two messages. Give one of them.")

    if any(map(os.path.isdir, options["depend"])):
        raise click.UsageError("'-d' is '--depend' here. Use '--directory' instead.")

    options["depend"] = options["depend"] or None

    compares = not (options["empty"] or options["against_history"])

    text = message or text or "empty message"

    if is_terminal() and compares:
        scripts = _revision_with_answers(alembic, text, options)
    else:
        scripts = alembic.revision(text, **options)

    lines = [line for script in scripts for line in _describe(script)]
    nothing = "No changes detected, so no revision was written. With '--empty', one is."
    return Answer({"revisions": scripts}, lines or [nothing], is_note=True)


def _describe(script: Script) -> c.Iterator[str]:
    changes: tuple[Change, ...] = getattr(script, "changes", ())
    several = len({change.database for change in changes}) > 1

    for change in changes:
        database = f"[{change.database}] " if several else ""
        losses = "; ".join(map(format_loss, change.losses))
        yield f"  {database}{change.description}{losses and f' ({losses})'}"

    yield f"Created {format_path(script.path)}"


def _revision_with_answers(
    alembic: Migrations, message: str, options: dict[str, t.Any]
) -> list[Script]:
    """Write a revision. If there is something to ask, compare again afterwards."""
    found = alembic._revision_or_questions(message, **options)

    if isinstance(found, list):
        return found

    if found.unknown_tables:
        options["drop"] = _ask_what_to_drop(found.unknown_tables)

    if found.renames:
        options["rename"] = _ask_what_was_renamed(found.renames)

    return alembic.revision(message, **options)


def _ask_what_to_drop(tables: c.Sequence[str]) -> c.Sequence[str]:
    echo("These tables are in no model, and no revision has created them:", err=True)

    for table in tables:
        echo(f"  {table}", err=True)

    answer = click.prompt(
        "Which of them shall the revision drop? Names, 'all' or 'none'",
        default="none",
        err=True,
    )
    return {"none": (), "all": tables}.get(answer, answer.replace(",", " ").split())


def _ask_what_was_renamed(renames: c.Iterable[str]) -> list[str]:
    renamed = []

    for rename in dict.fromkeys(renames):
        old, _, new = rename.partition(":")

        if click.confirm(f"Was '{old}' renamed to '{new}'?", err=True):
            renamed.append(rename)

    return renamed


@command()
@click.pass_obj
@click.argument("revisions", nargs=-1, type=Revision())
@click.option("-m", "--message", help="What the revision does.")
@label_option
@splice_option
@rev_id_option
def merge(
    alembic: Migrations, /, revisions: tuple[str, ...], **options: t.Any
) -> Answer:
    """Write a revision that merges others.

    Merges REVISIONS; all heads by default.
    """
    script = alembic.merge(revisions or "heads", **options)

    if script is None:
        reason = "one revision was given" if revisions else "there is one head"
        line = f"Nothing to merge: {reason}."
    else:
        line = f"Created {format_path(script.path)}"

    return Answer({"revisions": [script] if script else []}, [line], is_note=True)


@command(connects=True)
@click.pass_obj
@click.argument("revisions", nargs=-1, type=Revision())
def edit(alembic: Migrations, revisions: tuple[str, ...]) -> None:
    """Open REVISIONS in an editor; the heads by default.

    The editor is $VISUAL or $EDITOR.
    """
    scripts = alembic.show(revisions or "heads")

    if not scripts:
        raise click.UsageError(
            "There is no file to open: no revision, or the base, was named."
        )

    for script in scripts:
        click.edit(filename=script.path)
