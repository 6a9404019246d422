"""The command that tells what an upgrade would do, without doing it."""

from __future__ import annotations

import collections.abc as c
import datetime as dt
import re
import typing as t

from ..apps.env_py import check_env_py
from ..apps.names import default_name
from ..errors.from_alembic import converted_errors
from ..history.allowances import find_allowed
from ..history.authors import find_commits
from ..history.targets import as_argument
from ..history.targets import to_steps
from ..migration.offline import OfflineWriter
from ..migration.planned_statements import StatementCollector
from ..plans import Finding
from ..plans import Plan
from ..plans import PlannedRevision

if t.TYPE_CHECKING:
    from alembic.runtime.migration import RevisionStep
    from alembic.script import Script

    from ..apps.project import Project
    from ..history.authors import Commit
    from ..history.targets import StepTarget
    from ..migration.environment import Environment
    from ..migration.environment import Steps
    from ..plans import PlannedStatement

Lint: t.TypeAlias = c.Callable[[c.Sequence[str]], c.Iterable[tuple[int, str, str]]]


@converted_errors()
def plan(env: Environment, target: StepTarget) -> dict[str, Plan]:
    current = {name: env.current(name) for name in env.names}
    dialects = {name: env.connection(name).dialect for name in env.names}
    urls = {name: env.connection(name).engine.url for name in env.names}
    default = default_name(env.metadatas)

    for name in env.names:
        # The transaction must not stay open while files are read.
        env.end_transaction(name)

    def write() -> dict[str, Plan]:
        check_env_py(env.project.settings)
        steps = steps_to(env.project, target)
        plans = {}

        for name, heads in current.items():
            collector = StatementCollector(dialects[name])
            scripts: list[Script] = []
            writer = OfflineWriter(
                env.project, name, urls[name], name == default, collector=collector
            )
            writer.write(heads, listing(steps, scripts))
            lint = env.dialect(name).lint
            plans[name] = make_plan(heads, scripts, collector, lint)

        return plans

    return t.cast("dict[str, Plan]", env.databases.offload(write))


def steps_to(project: Project, target: StepTarget) -> Steps:
    """Return what lists the steps of an upgrade."""
    ids = to_steps(target, project.scripts.has, 1)
    destination = as_argument(ids)
    # Despite its signature, it accepts several ids.
    return lambda heads, context: project.scripts._upgrade_revs(destination, heads)  # type: ignore[arg-type]


def listing(steps: Steps, scripts: list[Script]) -> Steps:
    """Return the same steps, whose revisions are added to a list."""

    def listed(heads: t.Any, context: t.Any) -> c.Iterator[RevisionStep]:
        for step in steps(heads, context) or ():
            scripts.append(t.cast("t.Any", step).revision)
            yield step

    return listed


def make_plan(
    current: tuple[str, ...],
    scripts: list[Script],
    collector: StatementCollector,
    lint: Lint,
) -> Plan:
    """Return the plan of one database.

    :param current: The ids of the revisions that the database is at.
    :param scripts: The revisions to apply.
    :param collector: Has their statements.
    :param lint: See :meth:`.Dialect.lint`.
    """
    commits = find_commits(script.path for script in scripts)
    revisions = (_planned(s, collector, lint, commits.get(s.path)) for s in scripts)
    return Plan(current, tuple(revisions))


def _planned(
    script: Script, collector: StatementCollector, lint: Lint, commit: Commit | None
) -> PlannedRevision:
    statements = collector.of(script.revision)
    allowed = find_allowed(script.path)
    findings = [finding for s in statements for finding in _findings(s)]

    for position, rule, message in lint([statement.sql for statement in statements]):
        findings.append(Finding(rule, message, statements[position].line))
    return PlannedRevision(
        script.revision,
        script.doc,
        commit and commit.author,
        _date_of(script) or (commit and commit.date),
        script.path,
        statements,
        collector.unknown.get(script.revision),
        tuple(found for found in findings if found.rule not in allowed),
    )


def _findings(statement: PlannedStatement) -> c.Iterator[Finding]:
    for loss in statement.losses:
        if loss.is_certain:
            yield Finding("loses-data", loss.reason, statement.line)

    if observed := statement.observed:
        if observed.rewritten:
            names = ", ".join(observed.rewritten)
            yield Finding("rewrites-table", f"rewrites {names}", statement.line)
        elif observed.copies_table:
            yield Finding("rewrites-table", "copies the table", statement.line)


def _date_of(script: Script) -> dt.datetime | None:
    """Return the date that the template writes into a revision."""
    found = re.search(r"^Create Date: (.+)$", script.longdoc, re.MULTILINE)

    try:
        return dt.datetime.fromisoformat(found[1].strip()) if found else None
    except ValueError:
        return None
