"""Commands that only read."""

from __future__ import annotations

import typing as t

import click

from .. import commands
from ..errors import NotUpToDateError
from .completion import Revision
from .completion import RevisionRange
from .graph import draw
from .options import command
from .options import verbose_option
from .output import echo
from .output import echo_script
from .output import format_applied
from .output import format_current
from .output import format_script

if t.TYPE_CHECKING:
    from alembic.script import Script

    from .protocol import Migrations


@command(connects=True)
@click.pass_obj
@click.pass_context
@click.option(
    "-c", "--check-heads", is_flag=True, help="Fail if a head revision is not applied."
)
@verbose_option
def current(
    ctx: click.Context, alembic: Migrations, check_heads: bool, verbose: bool
) -> None:
    """Show the current revisions of the database."""
    if check_heads and alembic.needs_upgrade():
        echo("Database is not on all head revisions")
        ctx.exit(1)

    found = alembic._current_by_database()

    for name, scripts in found.items():
        for script in scripts:
            prefix = f"[{name}] " if len(found) > 1 else ""
            echo(f"{prefix}{format_script(script, verbose)}")


@command()
@click.pass_obj
@click.option(
    "--resolve-dependencies", is_flag=True, help="Treat dependencies as parents."
)
@verbose_option
def heads(alembic: Migrations, resolve_dependencies: bool, verbose: bool) -> None:
    """Show the revisions that have no child revisions."""
    for script in alembic.heads(resolve_dependencies):
        echo_script(script, verbose)


@command()
@click.pass_obj
@verbose_option
def branches(alembic: Migrations, verbose: bool) -> None:
    """Show the revisions that have more than one child revision."""
    scripts = {script.revision: script for script in alembic.log()}

    for script in alembic.branches():
        echo_script(script, verbose)

        for child in sorted(script.nextrev):
            echo(f"    -> {format_script(scripts[child], False)}")


@command(connects=True)
@click.pass_obj
@click.option(
    "--start", default="base", type=Revision(), help="The oldest revision to show."
)
@click.option(
    "--end", default="heads", type=Revision(), help="The newest revision to show."
)
@click.option(
    "-r",
    "--rev-range",
    type=RevisionRange(),
    help="Both in one, as in 'a1:b2', 'a1:' and ':b2'.",
)
@click.option(
    "-i", "--indicate-current", is_flag=True, help="Mark where the databases are."
)
@click.option("--graph", is_flag=True, help="Draw branches and merges.")
@click.option(
    "--applied", is_flag=True, help="Show who has run which revision, if it is audited."
)
@verbose_option
def log(
    alembic: Migrations,
    start: str,
    end: str,
    rev_range: tuple[str, str] | None,
    indicate_current: bool,
    graph: bool,
    applied: bool,
    verbose: bool,
) -> None:
    """Show the history of revisions, the newest first."""
    if applied:
        for revision in alembic.applied():
            echo(format_applied(revision))

        return

    current = alembic._current_by_database() if indicate_current else {}

    scripts = alembic.log(*(rev_range or (start, end)))

    def describe(script: Script) -> str:
        mark = format_current(script, current)
        return format_script(script, verbose, mark, parents=not graph)

    for line in draw(scripts, describe) if graph else map(describe, scripts):
        echo(line)


@command(connects=True)
@click.pass_obj
@click.argument("revisions", nargs=-1, type=Revision())
def show(alembic: Migrations, revisions: tuple[str, ...]) -> None:
    """Show the details of REVISIONS; the heads by default."""
    for script in alembic.show(revisions or "heads"):
        echo_script(script, True)


@command(connects=True)
@click.pass_obj
@click.pass_context
def check(ctx: click.Context, alembic: Migrations) -> None:
    """Check whether the models differ from the database.

    Exits with 1 if they do, or if there are revisions to apply first.
    """
    check_up_to_date(alembic)

    for applied in alembic.applied():
        if applied.is_edited:
            echo(f"Revision {applied.revision} was edited after it was applied.")

    differences = alembic.compare_metadata()

    if not differences:
        echo("No changes detected.")
        return

    echo("Changes detected.")

    for line in commands.compare.describe(differences):
        echo(f"  {line}")

    ctx.exit(1)


@command(connects=True)
@click.pass_obj
def status(alembic: Migrations) -> None:
    """Show the state of each database, compared with the revision files."""
    statuses = alembic.status()

    for name, found in statuses.items():
        prefix = f"[{name}] " if len(statuses) > 1 else ""
        at = f" at {', '.join(found.current)}" if found.current else ""
        pending = f", {len(found.pending)} pending" if found.pending else ""
        echo(f"{prefix}{found.state}{at}{pending}")


@command(connects=True)
@click.pass_obj
@click.option(
    "--timeout", type=click.FloatRange(min=0), help="The longest time to wait, in s."
)
def wait(alembic: Migrations, timeout: float | None) -> None:
    """Wait until another process has upgraded the database.

    Exits with 1 if the timeout expires. Without --timeout, there is no limit.
    """
    alembic.wait_until_current(timeout)


def check_up_to_date(alembic: Migrations) -> None:
    """
    :raises NotUpToDateError: If there are revisions to apply first.
    """
    for name, found in alembic.status().items():
        if found.pending:
            raise NotUpToDateError(name)
