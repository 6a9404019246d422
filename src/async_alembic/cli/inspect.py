"""Commands that only read."""

from __future__ import annotations

import collections.abc as c
import typing as t

import click

from ..errors import NotUpToDateError
from .answer import Answer
from .completion import Revision
from .completion import RevisionRange
from .graph import draw
from .options import command
from .options import verbose_option
from .output import format_applied
from .output import format_current
from .output import format_script
from .output import title
from .tenants import describe_current
from .tenants import Summary
from .tenants import tenant_options
from .tenants import TenantOptions

if t.TYPE_CHECKING:
    from alembic.script import Script

    from ..results import DatabaseStatus
    from .protocol import Migrations

#: How many pending revisions are shown by name.
_SHOWN = 10


@command(connects=True)
@click.pass_obj
@click.option(
    "-c", "--check-heads", is_flag=True, help="Fail if a head revision is not applied."
)
@verbose_option
@tenant_options
def current(
    alembic: Migrations, /, check_heads: bool, verbose: bool, **options: t.Any
) -> Answer:
    """Show the current revisions of the database."""
    if tenants := TenantOptions(**options):
        return tenants.run(
            alembic.status_of_tenants,
            describe=describe_current,
            summary=Summary("shown"),
            key="status",
            exit_code=lambda status: int(check_heads and status.state != "current"),
        )

    is_behind = check_heads and alembic.needs_upgrade()
    found = alembic._current_by_database()
    lines = [
        f"{title(name, found)}{format_script(script, verbose)}"
        for name, scripts in found.items()
        for script in scripts
    ]

    if is_behind:
        lines = ["Database is not on all head revisions"]

    return Answer({"databases": found}, lines, exit_code=is_behind)


@command()
@click.pass_obj
@click.option(
    "--resolve-dependencies", is_flag=True, help="Treat dependencies as parents."
)
@verbose_option
def heads(alembic: Migrations, resolve_dependencies: bool, verbose: bool) -> Answer:
    """Show the revisions that have no child revisions."""
    scripts = alembic.heads(resolve_dependencies)
    lines = [format_script(script, verbose) for script in scripts]
    return Answer({"revisions": scripts}, lines)


@command()
@click.pass_obj
@verbose_option
def branches(alembic: Migrations, verbose: bool) -> Answer:
    """Show the revisions that have more than one child revision."""
    scripts = {script.revision: script for script in alembic.log()}
    found = alembic.branches()
    lines: list[str] = []

    for script in found:
        lines.append(format_script(script, verbose))

        for child in sorted(script.nextrev):
            lines.append(f"    -> {format_script(scripts[child], False)}")

    return Answer({"revisions": found}, lines)


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
) -> Answer:
    """Show the history of revisions, the newest first."""
    if applied:
        found = alembic.applied()
        return Answer({"applied": found}, map(format_applied, found))

    current = alembic._current_by_database() if indicate_current else {}

    scripts = alembic.log(*(rev_range or (start, end)))

    def describe(script: Script) -> str:
        mark = format_current(script, current)
        return format_script(script, verbose, mark, parents=not graph)

    lines = draw(scripts, describe) if graph else map(describe, scripts)
    ids = {name: [s.revision for s in at] for name, at in current.items()}
    return Answer({"revisions": scripts, "current": ids}, lines)


@command(connects=True)
@click.pass_obj
@click.argument("revisions", nargs=-1, type=Revision())
def show(alembic: Migrations, revisions: tuple[str, ...]) -> Answer:
    """Show the details of REVISIONS; the heads by default."""
    scripts = alembic.show(revisions or "heads")
    lines = [format_script(script, True) for script in scripts]
    return Answer({"revisions": scripts}, lines)


@command(connects=True)
@click.pass_obj
@click.option(
    "--single-head",
    is_flag=True,
    help="Check instead that the history has one head, which needs no database.",
)
@click.option(
    "--drift",
    is_flag=True,
    help="Check instead whether the database differs from what its revisions make.",
)
@tenant_options
def check(
    alembic: Migrations, /, single_head: bool, drift: bool, **options: t.Any
) -> Answer:
    """Check whether the models differ from the database.

    Exits with 1 if they do, if there are revisions to apply first, or if no model has
    a table.
    """
    if single_head and drift:
        raise click.UsageError("Give one of '--single-head' and '--drift'.")

    if tenants := TenantOptions(**options):
        if single_head or drift:
            raise click.UsageError("With '--tenants', compare with the models only.")

        return tenants.run(
            alembic.check_tenants,
            describe=", ".join,
            summary=Summary("checked", "with differences"),
            key="differences",
            exit_code=lambda found: int(bool(found)),
        )

    if drift:
        return _check_drift(alembic)

    if single_head:
        alembic._check_single_head()
        return Answer({"differences": []}, ["The history has one head."])

    check_up_to_date(alembic)
    edited = [
        f"Revision {applied.revision} was edited after it was applied."
        for applied in alembic.applied()
        if applied.is_edited
    ]
    found = alembic._check()
    lines = ["Changes detected.", *(f"  {line}" for line in found)]

    if not found:
        lines = ["No changes detected."]

    return Answer({"differences": found}, [*edited, *lines], exit_code=bool(found))


def _check_drift(alembic: Migrations) -> Answer:
    found = alembic.drift()
    lines = [f"{title(name, found)}{line}" for name in found for line in found[name]]
    heading = "The database ('+') differs from what its revisions make ('-')."

    if not lines:
        heading = "The database is what its revisions make."

    shown = [heading, *(f"  {line}" for line in lines)]
    return Answer({"differences": lines}, shown, exit_code=bool(lines))


@command(connects=True)
@click.pass_obj
@tenant_options
def status(alembic: Migrations, /, **options: t.Any) -> Answer:
    """Show the state of each database, compared with the revision files.

    Exits with 0 if all are current, with 3 if revisions are pending, with 4 if a
    database is ahead of the files or diverged from them, and with 5 if a revision is
    half applied.
    """
    if tenants := TenantOptions(**options):
        return tenants.run(
            alembic.status_of_tenants,
            describe=lambda status: next(_describe_status(status)),
            summary=Summary("shown"),
            key="status",
            exit_code=_exit_code_of,
        )

    found = alembic.status(details=True)
    lines = (
        f"{title(name, found)}{line}"
        for name, status in found.items()
        for line in _describe_status(status)
    )
    exit_code = max(map(_exit_code_of, found.values()), default=0)
    return Answer({"databases": found}, lines, exit_code=exit_code)


@command(connects=True)
@click.pass_obj
@click.option(
    "--timeout", type=click.FloatRange(min=0), help="The longest time to wait, in s."
)
@click.option(
    "--allow-ahead",
    is_flag=True,
    help="Also end if newer code has migrated the database further.",
)
def wait(alembic: Migrations, timeout: float | None, allow_ahead: bool) -> Answer:
    """Wait until another process has upgraded the database.

    Exits with 1 if the timeout expires. Without --timeout, there is no limit.
    """
    alembic.wait_until_current(timeout, allow_ahead=allow_ahead)
    return Answer(lines=["No revision is pending."], is_note=True)


def check_up_to_date(alembic: Migrations) -> None:
    """
    :raises NotUpToDateError: If there are revisions to apply first.
    :raises UnknownRevisionInDatabaseError: If a database is at revisions that the code
        does not have.
    """
    for name, found in alembic.status().items():
        if found.unknown:
            # Raises the error that says so.
            alembic.needs_upgrade()

        if found.pending:
            raise NotUpToDateError(name)


def _describe_status(status: DatabaseStatus) -> c.Iterator[str]:
    at = f" at {', '.join(status.current)}" if status.current else ""
    pending = f", {len(status.pending)} pending" if status.pending else ""
    yield f"{status.state}{at}{pending}"

    if status.unknown:
        yield f"  not in the code: {', '.join(status.unknown)}"

    if status.state != "current":
        yield f"  heads: {', '.join(status.heads) or 'none'}"

    for script in status.pending[:_SHOWN]:
        yield f"  pending: {script.revision}, {script.doc}"

    if more := status.pending[_SHOWN:]:
        yield f"  pending: {len(more)} more"

    if status.lock_holder is not None:
        yield f"  being migrated: {status.lock_holder}"

    if status.partial is not None:
        yield f"  {status.partial}"


def _exit_code_of(status: DatabaseStatus) -> int:
    if status.partial is not None:
        return 5

    return {"current": 0, "behind": 3, "empty": 3}.get(status.state, 4)
