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

_unloaded = click.Command(None)
#: The module of each command. An app that runs another command imports none of them.
MODULES = {
    "init": "directory",
    "mkdir": "directory",
    "list-templates": "directory",
    "current": "inspect",
    "heads": "inspect",
    "branches": "inspect",
    "log": "inspect",
    "show": "inspect",
    "check": "inspect",
    "status": "inspect",
    "wait": "inspect",
    "plan": "plan",
    "stamp": "migrate",
    "upgrade": "migrate",
    "downgrade": "migrate",
    "revision": "generate",
    "merge": "generate",
    "rebase": "teams",
    "squash": "teams",
    "adopt": "adopt",
    "move-in": "move_in",
    "edit": "generate",
    "ensure-version": "tables",
    "drop-all": "tables",
}
#: Our name of each command that has another name elsewhere.
ALIASES = {
    "history": "log",
    "make-migrations": "revision",
    "migrate": "revision",
    "show-current-revision": "current",
}
#: What to use instead of a command that we do not have.
INSTEAD = {
    "dump-data": "Use the tool for dumps that comes with your database.",
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
        also = ", ".join(f"{alias} ({name})" for alias, name in ALIASES.items())
        super().__init__(
            name,
            commands=LazyCommands(),
            context_settings={"help_option_names": ["--help", "-h"]},
            help="Manage database migrations.",
            epilog=f"Other names that work: {also}.",
        )
        self.app = app
        self.alembic = alembic

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        # An app makes the group at each start, without running a command.
        from .options import OF_GROUP

        self.params = OF_GROUP
        return super().get_params(ctx)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        from .invocation import Invocation

        Invocation(self.app, self.alembic).begin(ctx)
        return super().parse_args(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = cmd_name.replace("_", "-")
        return super().get_command(ctx, ALIASES.get(name, name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        is_known = name[:1] == "-" or self.get_command(ctx, name) is not None

        if not is_known and not ctx.resilient_parsing:
            ctx.fail(f"No such command '{name}'.{_advice(name)}")

        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> t.Any:
        from ..running.signals import Interrupted
        from ..running.signals import raise_on_signal
        from .invocation import Invocation
        from .output import echo
        from .output import Failure

        invocation = Invocation.of(ctx)
        invoke = functools.partial(super().invoke, ctx)

        try:
            with raise_on_signal():
                return call_in_app_context(self.app, invoke)
        except AsyncAlembicError as e:
            if invocation.raiseerr:
                raise

            _print_json_error(ctx, e)
            raise Failure(str(e)) from e
        except (Failure, click.Abort, Interrupted) as e:
            # Click hides a signal that arrives while it asks.
            interrupt = e.__context__ if isinstance(e, click.Abort) else e

            if not isinstance(interrupt, Interrupted):
                _print_json_error(ctx, e)
                raise

            _print_json_error(ctx, interrupt)
            echo(str(interrupt), err=True)
            ctx.exit(128 + interrupt.number)


def _print_json_error(ctx: click.Context, error: BaseException) -> None:
    from .invocation import Invocation

    if Invocation.of(ctx).json:
        from .answer import print_error

        name = ctx.invoked_subcommand or ""
        print_error(ALIASES.get(name, name), error)


def _advice(name: str) -> str:
    """Return what to use instead of a command that does not exist."""
    import difflib

    if name in INSTEAD:
        return f" {INSTEAD[name]}"

    known, lower = [*MODULES, *ALIASES], name.lower()
    nearest = [n for n in known if len(lower) > 1 and n.startswith(lower)]
    nearest = nearest or difflib.get_close_matches(lower, known)
    return " Did you mean " + " or ".join(map(repr, nearest)) + "?" if nearest else ""
