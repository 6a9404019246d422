"""Commands that create or drop tables, without a revision."""

from __future__ import annotations

import typing as t

import click

from .answer import Answer
from .options import command
from .options import refused_option

if t.TYPE_CHECKING:
    from .protocol import Migrations


@command(connects=True)
@click.pass_obj
@refused_option(
    "--sql", "Use 'db upgrade --sql', which also creates the version table."
)
def ensure_version(alembic: Migrations) -> Answer:
    """Create the version table if it does not exist."""
    created = alembic.ensure_version()
    lines = [f"Created the version table in database '{name}'." for name in created]
    return Answer({"databases": created}, lines or ["Nothing to create."], is_note=True)


@command(connects=True)
@click.pass_obj
@click.option("-y", "--yes", "--no-prompt", is_flag=True, help="Do not ask.")
def drop_all(alembic: Migrations, yes: bool) -> Answer:
    """Drop the tables of the models and the version table.

    Asks for each database. Tables that are in no model stay.
    """
    names = [
        name
        for name, url in alembic._urls().items()
        if yes
        or click.confirm(f"Drop the tables of database '{name}' ({url})?", err=True)
    ]

    if not names:
        return Answer({"dropped": {}}, ["Nothing was dropped."], exit_code=1)

    dropped = alembic.with_options(database=names).drop_all()
    lines = [
        f"Dropped from database '{name}': {', '.join(tables) or 'nothing'}"
        for name, tables in dropped.items()
    ]
    return Answer({"dropped": dropped}, lines, is_note=True)
