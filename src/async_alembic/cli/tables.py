"""Commands that create or drop tables, without a revision."""

from __future__ import annotations

import typing as t

import click

from .invocation import note
from .options import command
from .output import echo

if t.TYPE_CHECKING:
    from .protocol import Migrations


@command(connects=True)
@click.pass_obj
def ensure_version(alembic: Migrations) -> None:
    """Create the version table if it does not exist."""
    created = alembic.ensure_version()

    for name in created:
        note(f"Created the version table in database '{name}'.")

    if not created:
        note("Nothing to create.")


@command(connects=True)
@click.pass_obj
@click.pass_context
@click.option("-y", "--yes", "--no-prompt", is_flag=True, help="Do not ask.")
def drop_all(ctx: click.Context, alembic: Migrations, yes: bool) -> None:
    """Drop the tables of the models and the version table.

    Asks for each database. Tables that are in no model stay.
    """
    names = [
        name
        for name, url in alembic._urls().items()
        if yes or click.confirm(f"Drop the tables of database '{name}' ({url})?")
    ]

    if not names:
        echo("Nothing was dropped.")
        ctx.exit(1)

    for name, tables in alembic.with_options(database=names).drop_all().items():
        note(f"Dropped from database '{name}': {', '.join(tables) or 'nothing'}")
