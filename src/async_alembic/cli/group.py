"""The ``db`` command group of one app."""

from __future__ import annotations

import collections
import functools
import importlib
import typing as t

import click

from ..apps.current import call_in_app_context
from ..errors import AsyncAlembicError

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from .protocol import Migrations

_RAISEERR_HELP = "Raise errors with their tracebacks, instead of printing one sentence."
_unloaded = click.Command(None)
#: The module of each command. An app that runs another command imports none of them.
MODULES = {
    "mkdir": "generate",
    "current": "inspect",
    "heads": "inspect",
    "branches": "inspect",
    "log": "inspect",
    "show": "inspect",
    "check": "inspect",
    "status": "inspect",
    "wait": "inspect",
    "stamp": "migrate",
    "upgrade": "migrate",
    "downgrade": "migrate",
    "revision": "generate",
    "merge": "generate",
    "move-in": "move_in",
}


class LazyCommands(collections.UserDict[str, click.Command]):
    """The commands by name, each imported when it is looked up."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(MODULES, _unloaded))

    def __getitem__(self, name: str) -> click.Command:
        if self.data[name] is _unloaded:
            module = importlib.import_module(f".{MODULES[name]}", __package__)
            self.data[name] = getattr(module, name.replace("-", "_"))

        return self.data[name]


class MigrationGroup(click.Group):
    """The command group of one app and one extension.

    :param name: The name of the group.
    :param app: The app that the group is added to.
    :param alembic: The extension.
    """

    def __init__(self, name: str, app: App, alembic: Migrations) -> None:
        super().__init__(
            name,
            commands=LazyCommands(),
            params=[click.Option(["--raiseerr"], is_flag=True, help=_RAISEERR_HELP)],
            help="Manage database migrations.",
        )
        self.app = app
        self.alembic = alembic

    def invoke(self, ctx: click.Context) -> t.Any:
        # An app imports this module at each start, without running a command.
        from ..running.signals import Interrupted
        from ..running.signals import raise_on_signal
        from .output import echo
        from .output import ProgressLine

        # Options of a group are passed to its callback, which it does not have.
        raise_errors = ctx.params.pop("raiseerr")
        progress = ProgressLine()
        ctx.obj = self.alembic._for_command_line(self.app, progress)
        invoke = functools.partial(super().invoke, ctx)

        try:
            with raise_on_signal():
                return call_in_app_context(self.app, invoke)
        except AsyncAlembicError as e:
            progress.abort("failed")

            if raise_errors:
                raise

            raise click.ClickException(str(e)) from e
        except Interrupted as e:
            progress.abort("interrupted")
            echo(
                "Interrupted. Changes that were not committed were rolled back.",
                err=True,
            )
            ctx.exit(128 + e.number)
