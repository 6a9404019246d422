"""Commands that compare models with databases."""

from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

from alembic import autogenerate

from ..autogenerate.comparison import running
from ..autogenerate.differences import describe
from ..autogenerate.differences import differences_of
from ..autogenerate.plugins import check_plugins
from ..autogenerate.rename_operations import as_argument
from ..autogenerate.rename_questions import find_renames
from ..autogenerate.renames import Renames
from ..autogenerate.rendering import rendering
from ..autogenerate.unknown_tables import full_name
from ..autogenerate.unknown_tables import UnknownTables
from ..errors import TargetError
from ..errors.from_alembic import converted_errors
from .command_line import make_context
from .command_line import pass_on
from .inspect import find_position
from .nothing_found import reason_for_nothing
from .nothing_found import warn_of_missing_models

if t.TYPE_CHECKING:
    from alembic.autogenerate import RevisionContext
    from alembic.operations import MigrationScript

    from ..autogenerate.comparison import Comparison
    from ..migration.environment import Environment


@converted_errors()
def produce_migrations(env: Environment) -> MigrationScript:
    script = _compare_all(env)
    warn_of_missing_models(env, [script])
    return script


@converted_errors()
def check(env: Environment) -> list[str]:
    """Describe the differences, each in a line.

    :raises TargetError: If there was nothing to compare.
    """
    script = _compare_all(env)
    found: list[str] = env.databases.offload(
        lambda: [*describe(differences_of(script))]
    )

    if not found and (reason := reason_for_nothing(env)):
        raise TargetError(reason)

    warn_of_missing_models(env, [script])
    return found


def _compare_all(env: Environment) -> MigrationScript:
    scripts = [_compare(env, name) for name in env.contexts]
    combined = scripts[0]

    if len(scripts) > 1:
        # As in a revision: one script with the operations of all databases.
        combined.upgrade_ops = [script.upgrade_ops_list[0] for script in scripts]
        combined.downgrade_ops = [script.downgrade_ops_list[0] for script in scripts]

    return combined


@converted_errors()
def compare_metadata(env: Environment) -> list[t.Any]:
    script = produce_migrations(env)
    diffs: list[t.Any] = env.databases.offload(lambda: [*differences_of(script)])
    return diffs


@converted_errors()
def needs_revision(env: Environment) -> bool:
    script = produce_migrations(env)
    return any(not ops.is_empty() for ops in script.upgrade_ops_list)


@converted_errors()
def unknown_tables(env: Environment) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}

    for name in env.contexts:
        with comparing(env, name, warn=False) as comparison:
            context = env.contexts[name]
            autogenerate.produce_migrations(context, context.opts["target_metadata"])

        found[name] = [*map(full_name, comparison.unknown_tables.kept)]

    return found


@converted_errors()
def possible_renames(env: Environment) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}

    for name in env.contexts:
        context = env.contexts[name]

        with comparing(env, name, warn=False):
            script = autogenerate.produce_migrations(
                context, context.opts["target_metadata"]
            )

        upgrade_ops = script.upgrade_ops_list[0]
        found[name] = [*map(as_argument, find_renames(upgrade_ops, context.impl))]

    return found


@converted_errors()
def differences_at_head(env: Environment) -> tuple[str, ...] | None:
    """Describe the differences; ``None`` if a database is not at head."""
    if any(find_position(env, name).state != "current" for name in env.names):
        return None

    return tuple(describe(compare_metadata(env)))


@contextlib.contextmanager
def comparing(
    env: Environment,
    name: str,
    drop: c.Collection[str] = (),
    renames: Renames | None = None,
    *,
    warn: bool = True,
    keep: bool = False,
    revision_context: RevisionContext | None = None,
) -> c.Iterator[Comparison]:
    """Prepare for the comparison of a database.

    :param name: The name of the database.
    :param drop: The tables to drop of those that neither models nor revisions know.
    :param renames: What was renamed.
    :param warn: Whether to log the others.
    :param keep: Whether to keep them even if the settings say otherwise.
    :param revision_context: The context of the revision that it is for.
    """
    context = env.contexts[name]
    check_plugins(context.opts)
    pass_on(revision_context or make_context(env.project), context)
    drops_all = env.project.settings.drops_unknown_tables
    dropped = None if drops_all and not keep else drop
    unknown = UnknownTables(
        name,
        context,
        env.project.database_names.of(name),
        lambda: env.created_tables,
        dropped,
    )

    with (
        env.use(name),
        rendering([context]),
        running(
            context, unknown, env.databases.pause, renames or Renames()
        ) as comparison,
    ):
        yield comparison

    if warn:
        unknown.warn()
        comparison.warn(name)


def _compare(env: Environment, name: str) -> MigrationScript:
    context = env.contexts[name]

    with comparing(env, name):
        script = autogenerate.produce_migrations(
            context, context.opts["target_metadata"]
        )

    script.upgrade_ops_list[0].upgrade_token = context.opts["upgrade_token"]
    script.downgrade_ops_list[0].downgrade_token = context.opts["downgrade_token"]
    return script
