"""The command for apps that move in."""

from __future__ import annotations

import typing as t

import click

from .options import command
from .output import echo
from .output import format_path

if t.TYPE_CHECKING:
    from .protocol import Migrations


@command(connects=True)
@click.pass_obj
@click.pass_context
@click.option(
    "--yes", is_flag=True, help="Write the settings to the file 'alembic_settings.py'."
)
def move_in(ctx: click.Context, alembic: Migrations, yes: bool) -> None:
    """Show what to set instead of env.py, alembic.ini and Flask-Migrate.

    Changes nothing without --yes. Exits with 1 if something is left to do by hand, or
    if the models differ from the database with these settings.
    """
    move = alembic.move_in(write=yes)

    if move.path is not None:
        echo(f"Created {format_path(move.path)}. Load it before 'init_app':")
        echo('  app.config.from_pyfile("alembic_settings.py")')
    elif move.settings:
        echo(move.settings)
    else:
        echo("There is nothing to set.")

    for text in move.by_hand:
        echo(f"By hand: {text}")

    _echo_differences("now", move.before)
    _echo_differences("with these settings", move.after)

    if move.by_hand or move.after:
        ctx.exit(1)


def _echo_differences(when: str, differences: tuple[str, ...] | None) -> None:
    if differences is None:
        echo(f"Not compared {when}: the database is not at head.")
    elif differences:
        echo(f"Models and database differ {when}:")

        for text in differences:
            echo(f"  {text}")
    else:
        echo(f"Models and database agree {when}.")
