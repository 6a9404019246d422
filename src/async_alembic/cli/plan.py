"""The command that tells what an upgrade would do."""

from __future__ import annotations

import collections.abc as c
import typing as t

import click

from .answer import Answer
from .completion import Revision
from .options import command
from .sql import refuse_range
from .tenants import Summary
from .tenants import tenant_options
from .tenants import TenantOptions

if t.TYPE_CHECKING:
    from ..plans import Observed
    from ..plans import Plan
    from ..plans import PlannedRevision
    from ..plans import PlannedStatement
    from .protocol import Migrations


@command(connects=True)
@click.pass_obj
@click.argument("target", default="heads", type=Revision())
@click.option(
    "--trace",
    is_flag=True,
    help="Upgrade a scratch copy, and show what the server does.",
)
@click.option("--sql", is_flag=True, help="Print the statements, as SQL.")
@click.option(
    "--check",
    is_flag=True,
    help="Exit with 2 if there is something to do, and with 0 if not.",
)
@tenant_options
def plan(
    alembic: Migrations,
    /,
    target: str,
    trace: bool,
    sql: bool,
    check: bool,
    **options: t.Any,
) -> Answer:
    """Show what an upgrade to TARGET would do, without doing it.

    Nothing is written to the database, and no lock is taken.
    """
    refuse_range("plan", [target], "upgrade")

    if tenants := TenantOptions(**options):
        if trace or sql:
            raise click.UsageError(
                "'--trace' and '--sql' are for one tenant: give '--tenant NAME' instead"
                " of '--tenants'."
            )

        return tenants.run(
            alembic.plan_tenants,
            target,
            describe=_short,
            summary=Summary("planned", "with revisions to apply"),
            key="plan",
            exit_code=lambda plan: 2 if check and plan.revisions else 0,
        )

    plans = alembic.plan(target, trace=trace)
    is_something_to_do = any(found.revisions for found in plans.values())
    lines = _all_sql_of(plans) if sql else _all_lines_of(plans)
    exit_code = 2 if check and is_something_to_do else 0
    return Answer({"databases": plans}, lines, exit_code=exit_code)


def _all_sql_of(plans: c.Mapping[str, Plan]) -> c.Iterator[str]:
    for name, found in plans.items():
        if len(plans) > 1:
            yield f"-- Database '{name}'"

        yield from _sql_of(found)


def _all_lines_of(plans: c.Mapping[str, Plan]) -> c.Iterator[str]:
    for name, found in plans.items():
        if len(plans) > 1:
            yield f"[{name}]"

        yield from _lines_of(found)


def _sql_of(plan: Plan) -> c.Iterator[str]:
    for revision in plan.revisions:
        yield f"-- {_title(revision)}"

        for statement in revision.statements:
            yield f"{statement.sql};"

        if revision.unknown:
            yield f"-- {_unknown(revision)}"

        yield ""


def _lines_of(plan: Plan) -> c.Iterator[str]:
    if not plan.revisions:
        yield "Nothing to upgrade."

    for revision in plan.revisions:
        yield _title(revision)

        for statement in revision.statements:
            yield from _statement_lines(statement)

        if revision.unknown:
            yield f"  {_unknown(revision)}"

        for finding in revision.findings:
            place = "" if finding.line is None else f", line {finding.line}"
            yield f"  {finding.rule}{place}: {finding.message}"


def _short(plan: Plan) -> str:
    return ", ".join(revision.revision for revision in plan.revisions)


def _title(revision: PlannedRevision) -> str:
    date = f"{revision.date:%Y-%m-%d}" if revision.date else None
    details = ", ".join(filter(None, (revision.author, date)))
    title = ", ".join(filter(None, (revision.revision, revision.message)))
    return f"{title} ({details})" if details else title


def _unknown(revision: PlannedRevision) -> str:
    return f"{revision.unknown}; its other statements are known with --trace"


def _statement_lines(statement: PlannedStatement) -> c.Iterator[str]:
    yield f"  {statement.action}"
    yield f"    {' '.join(statement.sql.split())}"

    for loss in statement.losses:
        if not loss.is_certain:
            yield "    whether it loses data is not known"

    if statement.observed is not None:
        yield from (f"    {line}" for line in _observed_lines(statement.observed))


def _observed_lines(observed: Observed) -> c.Iterator[str]:
    for lock in observed.locks:
        yield f"locks {lock.table}: {lock.mode}"

    for name, names in (("rewrites", observed.rewritten), ("scans", observed.scanned)):
        if names:
            yield f"{name} {', '.join(names)}"

    if observed.algorithm is not None:
        yield f"algorithm {observed.algorithm}"

    for notice in observed.notices:
        yield f"server: {notice}"
