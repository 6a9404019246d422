"""Commands that write revisions."""

from __future__ import annotations

import dataclasses
import os
import typing as t
from pathlib import Path

from alembic import autogenerate
from alembic.script import Script
from alembic.util import asbool

from ..errors import ConfigurationError
from ..errors import MultipleHeadsError
from ..errors import NotUpToDateError
from ..errors import RevisionError
from ..errors.from_alembic import converted_errors
from ..history.targets import to_ids
from ..migration.renames import Renames
from ..migration.rendering import rendering
from ..migration.unknown_tables import full_name
from ..migration.unknown_tables import KeepTablesOp
from .command_line import make_context
from .compare import comparing
from .detected import changes_of
from .detected import comment_on_losses
from .migrate import plan_upgrade
from .naming import name_constraints
from .nothing_found import warn_of_left_out
from .nothing_found import warn_of_missing_models
from .ordering import DetectedOps
from .ordering import sort_operations
from .rename_questions import ask_about_renames
from .rename_questions import check_found
from .rename_questions import check_renames
from .scratch import upgrade
from .types import refusing_types

if t.TYPE_CHECKING:
    from alembic.config import Config
    from alembic.operations import MigrationScript
    from alembic.runtime.migration import MigrationContext

    from ..apps.project import Project
    from ..history.targets import Target
    from ..migration.environment import Environment
    from ..migration.unknown_tables import UnknownTables
    from ..results import Change


@dataclasses.dataclass(frozen=True)
class NewRevision:
    """The arguments of :meth:`async_alembic.Alembic.revision`."""

    message: str
    empty: bool
    branch: str
    parent: Target
    splice: bool
    depend: Target | None
    label: str | t.Iterable[str] | None
    path: str | None
    rev_id: str | None
    drop: frozenset[str] = frozenset()
    rename: tuple[str, ...] = ()
    against_history: bool = False

    def __post_init__(self) -> None:
        if self.empty and self.against_history:
            raise RevisionError(
                "An empty revision compares nothing. Leave out 'empty' or"
                " 'against_history'."
            )

        if self.empty and self.drop:
            raise RevisionError(
                "An empty revision drops no tables. Leave out 'empty' or 'drop'."
            )

        if self.empty and self.rename:
            raise RevisionError(
                "An empty revision renames nothing. Leave out 'empty' or 'rename'."
            )

        check_renames(self.rename)


@converted_errors()
def revision(env: Environment, new: NewRevision) -> list[Script]:
    """Write the differences between models and databases, if there are any."""
    # Before the databases are asked, as an 'env.py' may name another version table.
    env.load()
    context: autogenerate.RevisionContext = env.databases.offload(
        lambda: _revision_context(env.project, new)
    )
    context.generated_revisions[0].upgrade_ops = detected = DetectedOps()

    def sort_offloaded(*args: t.Any) -> None:
        detected.is_complete = True
        env.databases.offload(lambda: sort_operations(*args))

    context.process_revision_directives = sort_offloaded
    unknown_tables: list[UnknownTables] = []
    left_out: list[str] = []
    renames = {name: Renames(new.rename) for name in env.names}

    for name in env.names:
        if not context.generated_revisions:
            raise ConfigurationError(
                "'process_revision_directives' emptied its list before all databases"
                " were compared. Remove that: without differences, no revision is"
                " written anyway."
            )

        current = env.current(name)
        heads = env.scripts.get_revisions("heads")

        if not new.empty and {*env.scripts.get_revisions(current)} != {*heads}:
            raise NotUpToDateError(name)

        with comparing(
            env, name, new.drop, renames[name], revision_context=context
        ) as comparison:
            unknown_tables.append(comparison.unknown_tables)

            if new.empty:
                context.run_no_autogenerate(current, env.contexts[name])
            else:
                context.run_autogenerate(current, env.contexts[name])

                if env.contexts[name].opts["render_as_batch"]:
                    env.databases.offload(
                        lambda: name_constraints(context.generated_revisions)
                    )

        left_out += comparison.left_out
        # Don't stay idle in a transaction while files are written.
        env.ops[name].get_bind().rollback()

    if not new.empty:
        _check_drop(new.drop, unknown_tables)
        check_found(new.rename, renames.values())
        context.generated_revisions = [
            script
            for script in context.generated_revisions
            if any(not ops.is_empty() for ops in script.upgrade_ops_list)
        ]
        warn_of_missing_models(env, context.generated_revisions)

        if not context.generated_revisions:
            warn_of_left_out(left_out)

    changes = [_comment(env, s, unknown_tables) for s in context.generated_revisions]

    with rendering(env.contexts.values()):
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
    return _written(_revision_context(project, new))


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
    _check_template(project)
    return project.scripts.generate_revision(
        rev_id or unused_id(project),
        message if message is not None else f"merge {', '.join(ids)}",
        refresh=True,
        head=ids,
        splice=splice,
        branch_labels=_labels(label) or None,
        **make_context(project).template_args,
    )


def unused_id(project: Project) -> str:
    """Return an unused id, even within the same second as the last revision."""
    ids = project.files.ids()
    rev_id = project.rev_id()

    while rev_id in ids and rev_id.isdecimal():
        rev_id = str(int(rev_id) + 1)

    return rev_id


def _check_drop(drop: frozenset[str], unknown_tables: list[UnknownTables]) -> None:
    found = {full_name(key) for unknown in unknown_tables for key in unknown.found}

    if others := sorted(drop - found):
        listed = ", ".join(f"'{name}'" for name in sorted(found)) or "none"
        raise RevisionError(
            f"No database has a table '{others[0]}' that is in no model and that no"
            f" revision has created, so 'drop' cannot name it. Such tables: {listed}."
        )


def _comment(
    env: Environment, script: MigrationScript, unknown_tables: list[UnknownTables]
) -> list[Change]:
    """Say in a revision which tables it keeps, where it has operations anyway, and what
    loses data.

    :return: What the revision changes.
    """
    changes: list[Change] = []

    for name, unknown, upgrade_ops in zip(
        env.names, unknown_tables, script.upgrade_ops_list, strict=False
    ):
        dialect = env.connection(name).dialect
        changes += changes_of(upgrade_ops, name, dialect)
        comment_on_losses(upgrade_ops, dialect)
        ask_about_renames(upgrade_ops, env.contexts[name].impl, name)

        if unknown.kept and not upgrade_ops.is_empty():
            # What they refer to is dropped after them.
            upgrade_ops.ops.insert(0, KeepTablesOp(unknown.kept))

    return changes


def _write(
    context: autogenerate.RevisionContext, migration_context: MigrationContext
) -> list[Script]:
    with refusing_types(context.generated_revisions, migration_context):
        return _written(context)


def _written(context: autogenerate.RevisionContext) -> list[Script]:
    return [script for script in context.generate_scripts() if script is not None]


def _revision_context(
    project: Project, new: NewRevision
) -> autogenerate.RevisionContext:
    project.scripts.check_linear()
    _check_template(project)
    parents, labels = _parents_and_labels(project, new)
    found = project.scripts.get_revisions(parents)

    if not all(isinstance(parent, Script) for parent in found):
        # Alembic does not resolve steps below the base to a revision.
        raise RevisionError(
            "There are fewer revisions than that below the heads. Name the parent"
            " revision, or 'base'."
        )

    return make_context(
        project,
        message=new.message,
        autogenerate=not new.empty,
        # Plugins use it as a key.
        head=parents[0] if len(parents) == 1 else tuple(parents),
        splice=new.splice,
        branch_label=labels or None,
        version_path=_version_path(project, new, found),
        rev_id=new.rev_id or unused_id(project),
        depends_on=to_ids(new.depend) if new.depend is not None else None,
    )


def _check_template(project: Project) -> None:
    path = Path(project.scripts.dir, "script.py.mako")

    if not path.exists():
        raise ConfigurationError(
            f"The template '{path}' for new revisions does not exist. Run 'db mkdir' to"
            " create it."
        )

    several = project.config.get_main_option("databases") is not None

    if several and "engine_name" not in path.read_text(project.scripts.output_encoding):
        raise ConfigurationError(
            f"The template '{path}' is for one database, but there are several. Remove"
            " it, and run 'db mkdir' to create one for several databases."
        )


def _parents_and_labels(
    project: Project, new: NewRevision
) -> tuple[list[str], list[str]]:
    """Return the parents and the labels of a new revision."""
    scripts = project.scripts
    parents = to_ids(new.parent)
    labels = _labels(new.label)

    if not new.branch:
        return parents, labels

    if scripts.has_branch(new.branch):
        named = {"base", "head", "heads"}
        return [f"{new.branch}@{p}" if p in named else p for p in parents], labels

    if new.branch == "default" and parents == ["head"]:
        # Continue a history without branches instead of forking it at its base.
        unlabelled = [head.revision for head in scripts.unlabelled_heads()]

        if len(unlabelled) > 1:
            raise MultipleHeadsError(unlabelled)

        if unlabelled:
            return unlabelled, labels

    if new.branch == "default" and not {*parents} <= {"base", "head"}:
        return parents, labels

    parents = [parent for parent in parents if parent not in {"base", "head"}]
    return parents or ["base"], [new.branch, *labels]


def _version_path(
    project: Project, new: NewRevision, parents: tuple[Script, ...]
) -> str:
    """Return the folder of a new revision: the given one, or that of its branch."""
    scripts, settings = project.scripts, project.settings

    if new.path:
        return settings.absolute(new.path)

    if new.branch in settings.branch_directories:
        return settings.branch_directories[new.branch]

    if parents:
        return scripts.location_of(parents[0])

    versions = os.path.join(scripts.dir, "versions")
    folders = {scripts.location_of(script) for script in scripts.walk_revisions()}

    if os.path.isdir(versions) and (not folders or versions in folders):
        return versions

    return scripts.dir


def _labels(label: str | t.Iterable[str] | None) -> list[str]:
    if label is None:
        return []

    return [label] if isinstance(label, str) else list(label)
