"""Commands that write revisions."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import typing as t

from alembic.util import asbool

from ..autogenerate.detected import changes_of
from ..autogenerate.detected import comment_on_losses
from ..autogenerate.dropped_checks import comment_on_checks
from ..autogenerate.naming import name_constraints
from ..autogenerate.ordering import DetectedOps
from ..autogenerate.ordering import sort_operations
from ..autogenerate.rename_operations import as_argument
from ..autogenerate.rename_questions import ask_about_renames
from ..autogenerate.rename_questions import check_found
from ..autogenerate.rename_questions import find_renames
from ..autogenerate.renames import Renames
from ..autogenerate.rendering import writing
from ..autogenerate.types import refusing_types
from ..autogenerate.unknown_tables import full_name
from ..autogenerate.unknown_tables import KeepTablesOp
from ..errors import ConfigurationError
from ..errors import NotUpToDateError
from ..errors import RevisionError
from ..errors.from_alembic import converted_errors
from ..history.targets import to_ids
from .command_line import make_context
from .compare import comparing
from .migrate import plan_upgrade
from .new_revision import check_template
from .new_revision import labels_of
from .new_revision import make_revision_context
from .new_revision import NewRevision as NewRevision
from .new_revision import unused_id
from .nothing_found import warn_of_left_out
from .nothing_found import warn_of_missing_models
from .scratch import upgrade

if t.TYPE_CHECKING:
    from alembic.autogenerate import RevisionContext
    from alembic.config import Config
    from alembic.operations import MigrationScript
    from alembic.runtime.migration import MigrationContext
    from alembic.script import Script

    from ..apps.project import Project
    from ..autogenerate.comparison import Comparison
    from ..autogenerate.unknown_tables import UnknownTables
    from ..history.targets import Target
    from ..migration.environment import Environment
    from ..results import Change


@dataclasses.dataclass(frozen=True)
class Questions:
    """What to ask before a revision is written.

    :param unknown_tables: Tables that may be dropped.
    :param renames: What may have been renamed, as an argument of ``rename``.
    """

    unknown_tables: tuple[str, ...]
    renames: tuple[str, ...]


@converted_errors()
def revision(env: Environment, new: NewRevision) -> list[Script]:
    """Write the differences between models and databases, if there are any."""
    context, comparisons = _compare_all(env, new)
    return _write_compared(env, new, context, comparisons)


@converted_errors()
def revision_or_questions(
    env: Environment, new: NewRevision
) -> list[Script] | Questions:
    """Write a revision, unless there is something to ask first. The answers need
    another comparison.
    """
    context, comparisons = _compare_all(env, new, warn=False)
    tables = () if new.drop else _unknown_tables(comparisons)
    renames = () if new.rename else _possible_renames(env, context)

    if tables or renames:
        return Questions(tables, renames)

    for name, found in comparisons.items():
        found.unknown_tables.warn()
        found.warn(name)

    return _write_compared(env, new, context, comparisons)


def _unknown_tables(comparisons: c.Mapping[str, Comparison]) -> tuple[str, ...]:
    return tuple(
        full_name(table)
        for found in comparisons.values()
        for table in found.unknown_tables.kept
    )


def _possible_renames(env: Environment, context: RevisionContext) -> tuple[str, ...]:
    return tuple(
        as_argument(rename)
        for script in context.generated_revisions
        for name, operations in zip(env.names, script.upgrade_ops_list, strict=False)
        for rename in find_renames(operations, env.contexts[name].impl)
    )


def _compare_all(
    env: Environment, new: NewRevision, *, warn: bool = True
) -> tuple[RevisionContext, dict[str, Comparison]]:
    # Before the databases are asked, as an 'env.py' may name another version table.
    env.load()
    context: RevisionContext = env.databases.offload(
        lambda: make_revision_context(env.project, new)
    )
    _sort_operations(env, context)
    return context, {n: _compare(env, n, new, context, warn) for n in env.names}


def _write_compared(
    env: Environment,
    new: NewRevision,
    context: RevisionContext,
    comparisons: dict[str, Comparison],
) -> list[Script]:
    if not new.empty:
        _check_used(new, comparisons.values())
        _leave_out_empty(env, context, comparisons.values())

    changes = [_comment(env, s, comparisons) for s in context.generated_revisions]

    with writing(env.contexts.values()):
        scripts: list[Script] = env.databases.offload(
            lambda: _write(context, env.contexts[env.names[-1]])
        )

    for script, of_script in zip(scripts, changes, strict=False):
        t.cast("t.Any", script).changes = tuple(of_script)

    return scripts


@converted_errors()
def revision_on_history(env: Environment, new: NewRevision) -> list[Script]:
    """Write the differences between models and what the revisions make.

    :param env: Empty databases.
    """
    upgrade(env, dict.fromkeys(env.names, plan_upgrade(env, ["heads"])))
    return revision(env, new)


@converted_errors()
def empty_revision(project: Project, new: NewRevision) -> list[Script]:
    """Write a revision without using a database."""
    return _written(make_revision_context(project, new))


def needs_database(config: Config, new: NewRevision) -> bool:
    return not new.empty or asbool(config.get_main_option("revision_environment"))


@converted_errors()
def merge(
    project: Project,
    revisions: Target,
    message: str | None,
    label: str | t.Iterable[str] | None,
    splice: bool,
    rev_id: str | None,
) -> Script | None:
    ids = to_ids(revisions)

    if len(set(project.scripts.get_revisions(ids))) < 2:
        return None

    project.scripts.check_linear()
    check_template(project)
    return project.scripts.generate_revision(
        rev_id or unused_id(project),
        message if message is not None else f"merge {', '.join(ids)}",
        refresh=True,
        head=ids,
        splice=splice,
        branch_labels=labels_of(label) or None,
        **make_context(project).template_args,
    )


def _sort_operations(env: Environment, context: RevisionContext) -> None:
    """Let Alembic sort the operations of each database."""
    context.generated_revisions[0].upgrade_ops = detected = DetectedOps()

    def sort_offloaded(*args: t.Any) -> None:
        detected.is_complete = True
        env.databases.offload(lambda: sort_operations(*args))

    context.process_revision_directives = sort_offloaded


def _compare(
    env: Environment, name: str, new: NewRevision, context: RevisionContext, warn: bool
) -> Comparison:
    """Add what is different in a database to a new revision."""
    if not context.generated_revisions:
        raise ConfigurationError(
            "'process_revision_directives' emptied its list before all databases were"
            " compared. Remove that: without differences, no revision is written"
            " anyway."
        )

    current = env.current(name)
    heads = env.scripts.get_revisions("heads")

    if not new.empty and {*env.scripts.get_revisions(current)} != {*heads}:
        raise NotUpToDateError(name)

    renames = Renames(new.rename)

    with comparing(
        env, name, new.drop, renames, warn=warn, revision_context=context
    ) as found:
        if new.empty:
            context.run_no_autogenerate(current, env.contexts[name])
        else:
            context.run_autogenerate(current, env.contexts[name])
            objects = env.dialect(name).schema_objects
            found.checks = objects.column_checks(env.connection(name))

            if env.contexts[name].opts["render_as_batch"]:
                env.databases.offload(
                    lambda: name_constraints(context.generated_revisions)
                )

    # Don't stay idle in a transaction while files are written.
    env.end_transaction(name)
    return found


def _check_used(new: NewRevision, comparisons: c.Collection[Comparison]) -> None:
    """Check that what the user has named was found."""
    _check_drop(new.drop, [found.unknown_tables for found in comparisons])
    check_found(new.rename, [found.renames for found in comparisons])


def _leave_out_empty(
    env: Environment, context: RevisionContext, comparisons: c.Iterable[Comparison]
) -> None:
    """Leave out revisions without operations, and say why there is nothing."""
    context.generated_revisions = [
        script
        for script in context.generated_revisions
        if any(not ops.is_empty() for ops in script.upgrade_ops_list)
    ]
    warn_of_missing_models(env, context.generated_revisions)

    if not context.generated_revisions:
        warn_of_left_out([item for found in comparisons for item in found.left_out])


def _check_drop(drop: frozenset[str], unknown_tables: list[UnknownTables]) -> None:
    found = {full_name(key) for unknown in unknown_tables for key in unknown.found}

    if others := sorted(drop - found):
        listed = ", ".join(f"'{name}'" for name in sorted(found)) or "none"
        raise RevisionError(
            f"No database has a table '{others[0]}' that is in no model and that no"
            f" revision has created, so 'drop' cannot name it. Such tables: {listed}."
        )


def _comment(
    env: Environment, script: MigrationScript, comparisons: c.Mapping[str, Comparison]
) -> list[Change]:
    """Say in a revision which tables it keeps, where it has operations anyway, and what
    loses data.

    :return: What the revision changes.
    """
    changes: list[Change] = []

    for (name, found), upgrade_ops in zip(
        comparisons.items(), script.upgrade_ops_list, strict=False
    ):
        dialect = env.connection(name).dialect
        changes += changes_of(upgrade_ops, name, dialect)
        comment_on_losses(upgrade_ops, dialect)
        comment_on_checks(upgrade_ops, found.checks)
        ask_about_renames(upgrade_ops, env.contexts[name].impl, name)

        if (kept := found.unknown_tables.kept) and not upgrade_ops.is_empty():
            # What they refer to is dropped after them.
            upgrade_ops.ops.insert(0, KeepTablesOp(kept))

    return changes


def _write(
    context: RevisionContext, migration_context: MigrationContext
) -> list[Script]:
    with refusing_types(context.generated_revisions, migration_context):
        return _written(context)


def _written(context: RevisionContext) -> list[Script]:
    return [script for script in context.generate_scripts() if script is not None]
