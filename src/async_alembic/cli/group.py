"""The ``db`` command group of one app."""

from __future__ import annotations

import functools
import typing as t

import click

from ..apps.current import call_in_app_context
from ..errors import AsyncAlembicError
from ..running.signals import Interrupted
from ..running.signals import raise_on_signal
from . import generate
from . import inspect
from . import migrate
from .output import ProgressLine

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from .protocol import Migrations

all_commands: list[click.Command] = [
    generate.mkdir,
    inspect.current,
    inspect.heads,
    inspect.branches,
    inspect.log,
    inspect.show,
    inspect.check,
    inspect.status,
    inspect.wait,
    migrate.stamp,
    migrate.upgrade,
    migrate.downgrade,
    generate.revision,
    generate.merge,
]


class MigrationGroup(click.Group):
    """The command group of one app and one extension.

    :param name: The name of the group.
    :param app: The app that the group is added to.
    :param alembic: The extension.
    """

    def __init__(self, name: str, app: App, alembic: Migrations) -> None:
        super().__init__(
            name, commands=all_commands, help="Manage database migrations."
        )
        self.app = app
        self.alembic = alembic

    def invoke(self, ctx: click.Context) -> t.Any:
        progress = ProgressLine()
        ctx.obj = self.alembic._for_command_line(self.app, progress)
        invoke = functools.partial(super().invoke, ctx)

        try:
            with raise_on_signal():
                return call_in_app_context(self.app, invoke)
        except AsyncAlembicError as e:
            progress.abort("failed")
            raise click.ClickException(str(e)) from e
        except Interrupted as e:
            progress.abort("interrupted")
            click.echo(
                "Interrupted. Changes that were not committed were rolled back.",
                err=True,
            )
            ctx.exit(128 + e.number)
