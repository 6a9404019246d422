"""Options that several commands have."""

from __future__ import annotations

import collections.abc as c
import contextlib
import copy
import os
import sys
import typing as t

import click

from .answer import Answer
from .colour import CHOICES
from .colour import set_color
from .completion import Database
from .completion import refuse_option
from .completion import Revision
from .invocation import Invocation
from .output import echo

Decorator: t.TypeAlias = c.Callable[[t.Any], t.Any]


def _store(ctx: click.Context, param: click.Parameter, value: t.Any) -> None:
    """Keep the value of an option that may stand before the command and after it."""
    if value:
        setattr(Invocation.of(ctx), param.name or "", value)


def _store_tenant(ctx: click.Context, param: click.Parameter, value: t.Any) -> None:
    # As a variable of a script may be. The command would use the app's databases.
    if value == "":
        raise click.UsageError("The name after '--tenant' is empty.", ctx)

    _store(ctx, param, value)


def _choose_color(ctx: click.Context, param: click.Parameter, value: t.Any) -> None:
    if value is not None:
        set_color(ctx, CHOICES[value])


def _refuse_config(ctx: click.Context, param: click.Parameter, value: t.Any) -> None:
    if value is not None:
        raise click.UsageError(
            "The settings are in app.config['ALEMBIC'], not in a file. Choose another"
            " script directory by '--directory', and a database by '--database'.",
            ctx,
        )


def _warn_of_config() -> None:
    if path := os.environ.get("ALEMBIC_CONFIG"):
        echo(
            f"Warning: ALEMBIC_CONFIG ('{path}') is for Alembic's own command, and is"
            " ignored. Settings are in app.config['ALEMBIC'], and in an 'alembic.ini'"
            " near the script directory.",
            err=True,
        )


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        names = ("async-alembic", "Alembic", "SQLAlchemy")
        click.echo(", ".join(f"{name} {version(name)}" for name in names))
        ctx.exit()


def _shared(
    *names: str, callback: c.Callable[..., None] = _store, **attributes: t.Any
) -> click.Option:
    return click.Option(names, callback=callback, expose_value=False, **attributes)


_directory = _shared(
    "-d",
    "--directory",
    type=click.Path(file_okay=False),
    help="The script directory, instead of the one that the app's config names.",
)
_x_arg = _shared(
    "-x",
    "--x-arg",
    multiple=True,
    metavar="KEY=VALUE",
    help="What a revision gets by context.get_x_argument(); repeat it for several.",
)
_quiet = _shared(
    "-q",
    "--quiet",
    is_flag=True,
    help="Print what is asked for only, not what is done.",
)
_json = _shared(
    "--json", is_flag=True, help="Print one JSON document, with errors as well."
)
_database = _shared(
    "--database",
    "--bind-key",
    multiple=True,
    type=Database(),
    help="The database to use, instead of all; repeat it for several.",
)
_tenant = _shared(
    "--tenant",
    callback=_store_tenant,
    metavar="NAME",
    help="The tenant whose history and database to use.",
)
_color = click.Option(
    ["--color"],
    type=click.Choice([*CHOICES]),
    callback=_choose_color,
    expose_value=False,
    help="Whether to print in colour; by default on a terminal, and as NO_COLOR and"
    " FORCE_COLOR say.",
)
# Only 'drop-all' asks, and has this option itself.
_no_prompt = click.Option(["--no-prompt"], is_flag=True, expose_value=False)
_raiseerr = _shared(
    "--raiseerr",
    is_flag=True,
    help="Raise errors with their tracebacks, instead of printing one sentence.",
)
# There is no file to choose.
_config = click.Option(
    ["-c", "--config", "-n", "--name"],
    hidden=True,
    callback=_refuse_config,
    expose_value=False,
)
_version = click.Option(
    ["--version"],
    is_flag=True,
    is_eager=True,
    help="Show the versions of async-alembic and what it uses.",
    callback=_show_version,
    expose_value=False,
)
#: The options of the group. Some of them may also stand after the command, where they
#: are not listed again.
OF_GROUP: list[click.Parameter] = [
    *(_directory, _x_arg, _quiet, _json, _color, _raiseerr, _version, _config)
]
_OF_EVERY_COMMAND = [
    *(_directory, _x_arg, _quiet, _json, _color, _raiseerr, _version),
    *(_database, _tenant, _no_prompt),
]
#: Click asks the first command that needs it, if nobody says so.
_HELP = {"help_option_names": ["--help", "-h"]}


class MigrationCommand(click.Command):
    """A command of the group. It accepts the options that all commands have, and prints
    the :class:`.Answer` that its function returns.

    :param connects: Whether it connects to databases, so that its help lists
        ``--database`` and ``--tenant``.
    """

    def __init__(self, *args: t.Any, connects: bool = False, **kwargs: t.Any) -> None:
        kwargs["context_settings"] = {**_HELP, **kwargs.get("context_settings", {})}
        super().__init__(*args, **kwargs)
        takes_revisions = any(
            isinstance(param, click.Argument) and isinstance(param.type, Revision)
            for param in self.params
        )
        # Otherwise, click would parse a negative number as an option.
        self.ignore_unknown_options: bool = takes_revisions
        self.allow_extra_args: bool = takes_revisions
        own = {name for param in self.params for name in param.opts}

        for option in map(copy.copy, _OF_EVERY_COMMAND):
            option.opts = [name for name in option.opts if name not in own]
            option.hidden = not (connects and option.name in {"database", "tenant"})

            if option.opts:
                self.params.append(option)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if any(param.name == "tenants" for param in self.params):
            from .tenants import spread_tenants

            args = spread_tenants(args)

        rest = super().parse_args(ctx, args)

        if rest and not ctx.resilient_parsing:
            refuse_option(rest[0], ctx)
            ctx.fail(f"Got unexpected extra argument ({rest[0]})")

        return rest

    def invoke(self, ctx: click.Context) -> t.Any:
        invocation = Invocation.of(ctx)
        ctx.obj = invocation.migrations
        _warn_of_config()
        # What a revision prints is not part of the document.
        output = sys.stderr if invocation.json else sys.stdout

        with contextlib.redirect_stdout(output):
            answer: Answer = super().invoke(ctx) or Answer()

        answer.print(self.name or "", invocation)

        if answer.exit_code:
            ctx.exit(answer.exit_code)


def command(**attributes: t.Any) -> c.Callable[[c.Callable[..., t.Any]], click.Command]:
    """Make a function a command of the group.

    :param attributes: Those of :class:`MigrationCommand`.
    """
    return click.command(cls=MigrationCommand, **attributes)


def refused_option(name: str, advice: str) -> Decorator:
    """Add an option that another tool has, to say what to use instead.

    :param advice: What to use.
    """

    def refuse(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        if value:
            raise click.UsageError(advice, ctx)

    return click.option(
        name, is_flag=True, hidden=True, expose_value=False, callback=refuse
    )


verbose_option: Decorator = click.option(
    "-v", "--verbose", is_flag=True, help="Show the details of each revision."
)
retry_option: Decorator = click.option(
    "--retry",
    is_flag=True,
    help="Run a half applied revision again, after it was undone by hand.",
)
resume_option: Decorator = click.option(
    "--resume",
    is_flag=True,
    help="Continue a half applied revision after the statements that are applied.",
)
label_option: Decorator = click.option(
    "-l",
    "--label",
    "--branch-label",
    multiple=True,
    help="A branch label for the revision; repeat it for several.",
)
splice_option: Decorator = click.option(
    "--splice", is_flag=True, help="Allow parents that are not heads."
)
rev_id_option: Decorator = click.option(
    "--rev-id", help="Its id, instead of a generated one."
)
