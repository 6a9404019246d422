"""Commands that change a database."""

from __future__ import annotations

import collections.abc as c
import typing as t

import click

from .answer import Answer
from .colour import style_id
from .completion import Revision
from .options import command
from .options import resume_option
from .options import retry_option
from .progress import shown_progress
from .sql import refuse_range
from .sql import sql_options
from .sql import SqlOptions
from .tenants import describe_revisions
from .tenants import MIGRATED
from .tenants import Summary
from .tenants import tenant_options
from .tenants import TenantOptions

if t.TYPE_CHECKING:
    from .protocol import Migrations


@command(connects=True)
@click.pass_obj
@click.argument("target", nargs=-1, type=Revision())
@click.option("--purge", is_flag=True, help="Empty the version table first.")
@tenant_options
@sql_options
def stamp(
    alembic: Migrations, /, target: tuple[str, ...], purge: bool, **options: t.Any
) -> Answer:
    """Set the current revision without running migrations."""
    tenants, script = _split(options, *target)

    if tenants:
        _refuse_with_tenants(script)
        return tenants.run(
            alembic.stamp_tenants,
            target or "heads",
            purge=purge,
            describe=lambda value: "stamped",
            summary=Summary("stamped"),
            key="value",
        )

    if script:
        if purge or len(target) > 1:
            raise click.UsageError("With '--sql', give one target and no '--purge'.")

        start, end = script.range(*target)
        return script.write(alembic.stamp_sql(end, start, script.tag))

    targets = target or ("heads",)
    alembic.stamp(targets, purge=purge)
    lines = (line for name in targets for line in _describe_stamp(alembic, name))
    return Answer(lines=lines, is_note=True)


@command(connects=True)
@click.pass_obj
@click.argument("target", default="heads", type=Revision())
@retry_option
@resume_option
@tenant_options
@sql_options
def upgrade(
    alembic: Migrations, /, target: str, retry: bool, resume: bool, **options: t.Any
) -> Answer:
    """Apply revisions.

    Goes up to TARGET, or by a number of revisions; to all heads by default.
    """
    tenants, script = _split(options, target)

    if tenants:
        _refuse_with_tenants(script)
        return tenants.run(
            alembic.upgrade_tenants,
            target,
            retry=retry,
            resume=resume,
            describe=describe_revisions("applied"),
            summary=MIGRATED,
            key="revisions",
        )

    if script:
        start, end = script.range(target)
        return script.write(alembic.upgrade_sql(end, start, script.tag))

    with shown_progress():
        scripts = alembic.upgrade(target, retry=retry, resume=resume)

    lines = [] if scripts else [_nothing_to_upgrade(alembic)]
    return Answer({"revisions": scripts}, lines, is_note=True)


@command(connects=True)
@click.pass_obj
@click.argument("target", default="-1", type=Revision())
@retry_option
@resume_option
@tenant_options
@sql_options
def downgrade(
    alembic: Migrations, /, target: str, retry: bool, resume: bool, **options: t.Any
) -> Answer:
    """Revert revisions.

    Goes down to TARGET, or by a number of revisions; by one by default.
    """
    tenants, script = _split(options, target)

    if tenants:
        _refuse_with_tenants(script)
        return tenants.run(
            alembic.downgrade_tenants,
            target,
            retry=retry,
            resume=resume,
            describe=describe_revisions("reverted"),
            summary=MIGRATED,
            key="revisions",
        )

    if script:
        if ":" not in target:
            raise click.UsageError(
                "With '--sql', say where the database is, as in 'db downgrade --sql"
                f" heads:{target}'."
            )

        start, end = script.range(target)
        return script.write(alembic.downgrade_sql(end, start, script.tag))

    with shown_progress():
        scripts = alembic.downgrade(target, retry=retry, resume=resume)

    lines = [] if scripts else ["Nothing to downgrade."]
    return Answer({"revisions": scripts}, lines, is_note=True)


def _nothing_to_upgrade(alembic: Migrations) -> str:
    if alembic.heads():
        return "Nothing to upgrade."

    return "Nothing to upgrade: there are no revisions. 'db revision' creates one."


def _describe_stamp(alembic: Migrations, target: str) -> c.Iterator[str]:
    scripts = alembic.show(target)

    for script in scripts:
        described = ", ".join(filter(None, (script.revision, script.doc)))
        yield style_id(f"stamp {described}", script.revision)

    if not scripts:
        yield f"stamp {target}"


def _split(
    options: dict[str, t.Any], *targets: str
) -> tuple[TenantOptions, SqlOptions]:
    """Return the options of two kinds, once they fit the targets."""
    of_sql = {name: options.pop(name) for name in ("sql", "tag", "output")}
    script = SqlOptions(**of_sql)

    if not script:
        refuse_range(click.get_current_context().info_name or "", targets)

    return TenantOptions(**options), script


def _refuse_with_tenants(script: SqlOptions) -> None:
    if script:
        raise click.UsageError(
            "'--sql' is for one tenant: give '--tenant NAME' instead of '--tenants'."
        )
