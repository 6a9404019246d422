"""The command for apps that move in."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import typing as t

import click

from .answer import Answer
from .options import command
from .output import format_path

if t.TYPE_CHECKING:
    from ..results import MoveIn
    from .protocol import Migrations


@command(connects=True)
@click.pass_obj
@click.option(
    "--yes", is_flag=True, help="Write the settings to the file 'alembic_settings.py'."
)
def move_in(alembic: Migrations, yes: bool) -> Answer:
    """Show what to set instead of env.py, alembic.ini and Flask-Migrate.

    Changes nothing without --yes. Exits with 1 if something is left to do by hand, or
    if the models differ from the database with these settings.
    """
    move = alembic.move_in(write=yes)
    is_done = not (move.by_hand or move.after)
    return Answer(dataclasses.asdict(move), _describe(move), exit_code=not is_done)


def _describe(move: MoveIn) -> c.Iterator[str]:
    if move.path is not None:
        yield f"Created {format_path(move.path)}. Load it before 'init_app':"
        yield '  app.config.from_pyfile("alembic_settings.py")'
    elif move.settings:
        yield move.settings
    else:
        yield "There is nothing to set."

    for text in move.by_hand:
        yield f"By hand: {text}"

    yield from _describe_differences("now", move.before)
    yield from _describe_differences("with these settings", move.after)


def _describe_differences(
    when: str, differences: tuple[str, ...] | None
) -> c.Iterator[str]:
    if differences is None:
        yield f"Not compared {when}: the database is not at head."
    elif differences:
        yield f"Models and database differ {when}:"

        for text in differences:
            yield f"  {text}"
    else:
        yield f"Models and database agree {when}."
