"""The ``db`` group of commands, for ``flask`` and ``quart``. Prints; no logic.

Importing this loads neither Alembic nor a framework, as an app does it at every start.
"""

from __future__ import annotations

import collections.abc as c
import functools
import os
import typing as t

import click

from .. import commands
from ..apps.registry import call_in_app_context
from ..apps.registry import Invocation
from ..apps.registry import invocation
from ..errors import AsyncAlembicError
from ..running.signals import Interrupted
from ..running.signals import interrupting

if t.TYPE_CHECKING:
    from alembic.script import Script
    from flask.sansio.app import App

    from ..extension.blocking import SyncAlembic
    from ..results import Progress

    _Decorator: t.TypeAlias = c.Callable[[t.Any], t.Any]

verbose_option: _Decorator = click.option(
    "-v", "--verbose", is_flag=True, help="Show all of each revision."
)
retry_option: _Decorator = click.option(
    "--retry",
    is_flag=True,
    help="Run a revision again that is half applied, as it was undone by hand.",
)
label_option: _Decorator = click.option(
    "-l", "--label", multiple=True, help="Label(s) to apply to the revision."
)


class MigrationGroup(click.Group):
    """The group of one app and one extension.

    :param name: The name of the group.
    :param app: The app that the group is added to.
    :param alembic: The extension.
    """

    def __init__(self, name: str, app: App, alembic: SyncAlembic) -> None:
        super().__init__(
            name, commands=all_commands, help="Manage database migrations."
        )
        self.app = app
        self.alembic = alembic

    def invoke(self, ctx: click.Context) -> t.Any:
        ctx.obj = self.alembic
        progress = ProgressLine()
        token = invocation.set(Invocation(self.app, progress))

        invoke = functools.partial(super().invoke, ctx)

        try:
            with interrupting():
                return call_in_app_context(self.app, invoke)
        except AsyncAlembicError as e:
            progress.break_off("failed")
            raise click.ClickException(str(e)) from e
        except Interrupted as e:
            progress.break_off("interrupted")
            click.echo("Interrupted. No more is changed.", err=True)
            ctx.exit(128 + e.number)
        finally:
            invocation.reset(token)


class ProgressLine:
    """Shows each revision when it begins, and its time when it is done."""

    def __init__(self) -> None:
        self.is_open: bool = False

    def __call__(self, progress: Progress) -> None:
        if progress.seconds is not None:
            click.echo(f" ({_format_time(progress.seconds)})")
            self.is_open = False
            return

        script = progress.script
        text = f"{progress.direction} {script.revision}, {script.doc}"

        if progress.several:
            text = f"[{progress.database}] {text}"

        click.echo(text, nl=False)
        self.is_open = True

    def break_off(self, how: str) -> None:
        if self.is_open:
            click.echo(f" {how}")


@click.command()
@click.pass_obj
def mkdir(alembic: SyncAlembic) -> None:
    """Create the script directory if it does not exist."""
    alembic.mkdir()


@click.command()
@click.pass_obj
@click.pass_context
@click.option(
    "--check-heads", is_flag=True, help="Fail if a head revision is not applied."
)
@verbose_option
def current(
    ctx: click.Context, alembic: SyncAlembic, check_heads: bool, verbose: bool
) -> None:
    """Show the revisions that the database is at."""
    if check_heads and alembic.needs_upgrade():
        click.echo("Database is not on all head revisions")
        ctx.exit(1)

    scripts = {script.revision: script for script in alembic.current()}
    statuses = alembic.status()

    for name, status in statuses.items():
        for revision in status.current:
            prefix = f"[{name}] " if len(statuses) > 1 else ""
            click.echo(f"{prefix}{_format(scripts[revision], verbose)}")


@click.command()
@click.pass_obj
@click.option(
    "--resolve-dependencies", is_flag=True, help="Treat dependencies as down revisions."
)
@verbose_option
def heads(alembic: SyncAlembic, resolve_dependencies: bool, verbose: bool) -> None:
    """Show the revisions that have no child revisions."""
    for script in alembic.heads(resolve_dependencies):
        _echo(script, verbose)


@click.command()
@click.pass_obj
@verbose_option
def branches(alembic: SyncAlembic, verbose: bool) -> None:
    """Show the revisions that have more than one child revision."""
    scripts = {script.revision: script for script in alembic.log()}

    for script in alembic.branches():
        _echo(script, verbose)

        for child in sorted(script.nextrev):
            click.echo(f"    -> {_format(scripts[child], False)}")


@click.command()
@click.pass_obj
@click.option("--start", default="base", help="Show since this revision.")
@click.option("--end", default="heads", help="Show until this revision.")
@verbose_option
def log(alembic: SyncAlembic, start: str, end: str, verbose: bool) -> None:
    """Show the history of revisions, the newest first."""
    for script in alembic.log(start, end):
        _echo(script, verbose)


@click.command()
@click.pass_obj
@click.argument("revisions", nargs=-1)
def show(alembic: SyncAlembic, revisions: tuple[str, ...]) -> None:
    """Show all of the given revisions; of the heads by default."""
    for script in alembic._show(revisions or "heads"):
        _echo(script, True)


@click.command()
@click.pass_obj
@click.pass_context
def check(ctx: click.Context, alembic: SyncAlembic) -> None:
    """Check whether the models differ from the database."""
    differences = alembic.compare_metadata()

    if not differences:
        click.echo("No changes detected.")
        return

    click.echo("Changes detected.")

    for line in commands.compare.describe(differences):
        click.echo(f"  {line}")

    ctx.exit(1)


@click.command()
@click.pass_obj
@click.argument("target", nargs=-1)
@click.option("--purge", is_flag=True, help="Forget what was set before.")
def stamp(alembic: SyncAlembic, target: tuple[str, ...], purge: bool) -> None:
    """Set the current revision without running migrations."""
    alembic.stamp(target or "heads", purge=purge)


@click.command()
@click.pass_obj
@click.argument("target", default="heads")
@retry_option
def upgrade(alembic: SyncAlembic, target: str, retry: bool) -> None:
    """Apply revisions up to TARGET, or a number of them; all by default."""
    if not alembic.upgrade(target, retry=retry):
        click.echo("Nothing to upgrade.")


# A negative number is no option.
@click.command(context_settings={"ignore_unknown_options": True})
@click.pass_obj
@click.argument("target", default="-1")
@retry_option
def downgrade(alembic: SyncAlembic, target: str, retry: bool) -> None:
    """Take revisions back down to TARGET, or a number of them; one by default."""
    if not alembic.downgrade(target, retry=retry):
        click.echo("Nothing to downgrade.")


@click.command()
@click.pass_obj
@click.argument("message")
@click.option("--empty", is_flag=True, help="Do not compare models and database.")
@click.option(
    "-b", "--branch", default="default", help="Use this independent branch name."
)
@click.option(
    "-p",
    "--parent",
    multiple=True,
    default=["head"],
    help="Parent revision(s) of this revision.",
)
@click.option("--splice", is_flag=True, help="Allow non-head parent revision.")
@click.option(
    "-d", "--depend", multiple=True, help="Revision(s) this revision depends on."
)
@label_option
@click.option("--path", help="Where to store the revision.")
@click.option("--rev-id", help="The id to use instead of a new one.")
def revision(alembic: SyncAlembic, /, message: str, **options: t.Any) -> None:
    """Write a revision with what the models and the database differ by."""
    options["depend"] = options["depend"] or None
    scripts = alembic.revision(message, **options)

    if not scripts:
        click.echo("No changes detected, so no revision was written.")

    for script in scripts:
        click.echo(f"Created {_format_path(script.path)}")


@click.command()
@click.pass_obj
@click.argument("revisions", nargs=-1)
@click.option("-m", "--message", help="What the merge does.")
@label_option
@click.option("--splice", is_flag=True, help="Allow non-head revisions.")
def merge(
    alembic: SyncAlembic, /, revisions: tuple[str, ...], **options: t.Any
) -> None:
    """Write a revision that joins REVISIONS; all heads by default."""
    script = alembic.merge(revisions or "heads", **options)

    if script is None:
        click.echo("Nothing to merge: there is one head.")
    else:
        click.echo(f"Created {_format_path(script.path)}")


all_commands: list[click.Command] = [
    mkdir,
    current,
    heads,
    branches,
    log,
    show,
    check,
    stamp,
    upgrade,
    downgrade,
    revision,
    merge,
]


def _echo(script: Script, verbose: bool) -> None:
    click.echo(_format(script, verbose))


def _format(script: Script, verbose: bool) -> str:
    return script.cmd_format(
        verbose,
        include_branches=True,
        include_doc=True,
        include_parents=True,
        tree_indicators=True,
    )


def _format_path(path: str) -> str:
    relative = os.path.relpath(path)
    return path if relative.startswith(os.pardir) else relative


def _format_time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
