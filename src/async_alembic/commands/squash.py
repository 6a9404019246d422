"""Replaces revisions by one that makes the same schema. It is tried out on scratch
copies of the databases.
"""

from __future__ import annotations

import collections.abc as c
import dataclasses
import os
import typing as t
import warnings
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import SAWarning

from ..dialects.schemas.catalog import user_schemas
from ..dialects.schemas.reading import differences
from ..errors import AsyncAlembicError
from ..errors import RevisionError
from ..errors import SquashError
from ..errors.from_alembic import converted_errors
from ..history.copied import CopiedHistory
from ..history.replacing import replace_file
from ..history.squashed import mark
from ..migration.watched_operations import WatchedOperations
from ..results import Squash
from . import generate
from . import migrate
from .schemas import own_tables
from .schemas import read_schema

if t.TYPE_CHECKING:
    from alembic.runtime.migration import RevisionStep

    from ..apps.project import Project
    from ..dialects.schemas.reading import Schema
    from ..history.graph import RevisionGraph
    from ..migration.environment import Environment

_NOTHING_CHANGED = "Nothing was changed."


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is squashed.

    :param base: The id of the revision before; ``None`` for the beginning.
    :param revision: The id of the last revision, which is kept.
    :param replaced: The ids of the revisions that are replaced, with that one.
    :param labels: The labels that they carry.
    :param path: The path of the last revision.
    """

    base: str | None
    revision: str
    replaced: tuple[str, ...]
    labels: tuple[str, ...]
    path: str


@dataclasses.dataclass(frozen=True)
class Original:
    """What the revisions make that are to be replaced.

    :param metadatas: The tables after the last of them, by the name of the database.
    :param schemas: The schema after the last of them, and that at the heads.
    """

    metadatas: dict[str, sa.MetaData]
    schemas: tuple[Schema, Schema]


@converted_errors()
def plan(project: Project, base: str, revision: str) -> Plan:
    graph = project.files.graph
    last = _resolve(project, revision)
    first = None if base == "base" else _resolve(project, base)
    below = graph.ancestors_of(*[first] if first else (), dependencies=True)
    above = graph.ancestors_of(last) - below

    if first is not None and first not in graph.ancestors_of(last):
        raise RevisionError(f"Revision {first} does not come before {last}.")

    if len(above) < 2:
        raise RevisionError(
            f"There are not two revisions to squash after {base}, up to {last}."
        )

    _check_closed(graph, above, below, last)
    labels = [label for label, owner in graph.labels.items() if owner in above]
    replaced = tuple(r for r in graph.paths if r in above)
    return Plan(first, last, replaced, tuple(labels), graph.paths[last])


def check_databases(plan: Plan, current: c.Mapping[str, c.Iterable[str]]) -> None:
    """Check that no database is at a revision that goes.

    :param current: The ids that the databases are at, as far as they can be reached.
    """
    for name, ids in current.items():
        if between := ({*plan.replaced} - {plan.revision}) & {*ids}:
            raise RevisionError(
                f"Database '{name}' is at revision {min(between)}, which would be gone."
                f" {_NOTHING_CHANGED} Upgrade it first: 'db upgrade {plan.revision}'."
            )


@converted_errors()
def run_original(env: Environment, plan: Plan) -> Original:
    """Run the revisions in empty databases.

    :raises SquashError: If they do more than changing the schema.
    """
    has_rows = plan.base is not None
    watched = {n: WatchedOperations(env.contexts[n], has_rows) for n in env.names}
    env.ops.update(watched)

    def steps(heads: t.Any, context: t.Any) -> c.Iterator[RevisionStep]:
        operations = next(w for w in watched.values() if w.migration_context is context)

        for step in migrate.plan_upgrade(env, [plan.revision])(heads, context) or ():
            script = t.cast("t.Any", step).revision

            if script.revision in plan.replaced:
                step.migration_fn = operations.watching(step.migration_fn, script.path)

            yield step

        if operations.noticed:
            # What they have done is rolled back, where it can be.
            raise SquashError(
                "The revisions do what cannot be written again from the schema that"
                " they make",
                [f"{path}:{line}" for path, line in sorted(operations.noticed)],
            )

    migrate.run_migrations(env, steps)
    metadatas = {name: _reflect(env, name) for name in env.names}
    return Original(metadatas, _schemas(env))


def copy_history(project: Project, plan: Plan) -> CopiedHistory:
    """Copy the history as far as the squashed revisions begin."""
    settings, graph = project.settings, project.files.graph
    copy = CopiedHistory(settings.script_location, settings.version_locations)
    kept = graph.ancestors_of(*[plan.base] if plan.base else (), dependencies=True)
    later = graph.paths.keys() - kept - {*plan.replaced}
    copy.leave_out(graph.paths[r] for r in plan.replaced)
    copy.leave_out((graph.paths[r] for r in later), restorable=True)
    return copy


@converted_errors()
def write(
    env: Environment,
    plan: Plan,
    message: str | None,
    original: Original,
    copy: CopiedHistory,
) -> str:
    """Write the new revision into a history that ends before it.

    :param env: Empty databases.
    :param copy: That history.
    :return: The path of the file.
    """
    if plan.base is not None:
        migrate.run_migrations(env, migrate.plan_upgrade(env, [plan.base]))

    env = env.with_metadatas(original.metadatas)
    count = len(plan.replaced)
    new = generate.NewRevision(
        message or f"squash {count} revisions",
        empty=False,
        branch="",
        parent=plan.base or "base",
        splice=True,
        depend=None,
        label=plan.labels,
        path=copy.folder_of(plan.path),
        rev_id=plan.revision,
    )
    scripts = generate.revision(env, new) or generate.empty_revision(
        env.project, dataclasses.replace(new, empty=True)
    )
    path = scripts[0].path

    with open(path, "a", encoding=env.project.scripts.output_encoding) as file:
        file.write(mark(plan.replaced))

    return path


@converted_errors()
def verify(env: Environment, plan: Plan, original: Original) -> None:
    """Check that the new history makes the same schema in empty databases.

    :raises SquashError: If it does not.
    """
    try:
        migrate.run_migrations(env, migrate.plan_upgrade(env, [plan.revision]))
        schemas = _schemas(env)
    except AsyncAlembicError as e:
        raise SquashError("The new revision would fail", [str(e)]) from e

    for expected, found in zip(original.schemas, schemas, strict=True):
        if lines := differences(expected, found):
            raise SquashError(
                "One revision would make another schema than those that it replaces:"
                " what begins with '-' would be missing, what begins with '+' new",
                lines,
            )


def install(project: Project, plan: Plan, copy: CopiedHistory, new: str) -> Squash:
    """Put the new file beside the old ones, and then remove these. Until the last of
    them is gone, no command works, and each names the files to remove.

    :param copy: The history that the new file was written into.
    :param new: Its path there.
    """
    paths = project.files.graph.paths
    path = copy.original_of(new, plan.path)

    if os.path.exists(path):
        raise RevisionError(
            f"'{path}' exists. {_NOTHING_CHANGED} Choose another message."
        )

    replace_file(path, Path(new).read_bytes())
    # The last one has the same id, by which an interruption is told.
    others = [paths[r] for r in plan.replaced if r != plan.revision]
    removed = [*others, paths[plan.revision]]

    for old in removed:
        os.unlink(old)

    return Squash(plan.revision, plan.replaced, path, tuple(removed))


def _schemas(env: Environment) -> tuple[Schema, Schema]:
    """Return the schema of databases, and after the rest of their revisions."""
    now = _read_schemas(env)
    migrate.run_migrations(env, migrate.plan_upgrade(env, ["heads"]))
    return now, _read_schemas(env)


def _read_schemas(env: Environment) -> Schema:
    objects: Schema = {}

    for name in env.names:
        label = f"{name}: " if len(env.names) > 1 else ""
        objects |= {f"{label}{k}": text for k, text in read_schema(env, name).items()}

    return objects


def _reflect(env: Environment, name: str) -> sa.MetaData:
    connection, own = env.connection(name), own_tables(env)
    metadata = sa.MetaData()

    @event.listens_for(metadata, "column_reflect")
    def simplify(inspector: t.Any, table: t.Any, column: t.Any) -> None:
        # As Alembic does, which writes SERIAL for a column that owns its sequence.
        impl: t.Any = env.contexts[name].impl
        impl.autogen_column_reflect(inspector, table, column)

    with warnings.catch_warnings():
        # For example, that an index has an expression.
        warnings.simplefilter("ignore", SAWarning)

        for schema in user_schemas(connection):
            metadata.reflect(
                connection, schema=schema, only=lambda table, _: table not in own
            )

    for table in metadata.tables.values():
        for column in table.columns:
            if not column.primary_key:
                # It is reflected as False, which Alembic would write down.
                column.autoincrement = "auto"

    env.end_transaction(name)
    return metadata


def _resolve(project: Project, name: str) -> str:
    found = project.scripts.get_revisions(name)

    if len(found) != 1:
        raise RevisionError(f"'{name}' is not one revision. Give the id of one.")

    return found[0].revision


def _check_closed(
    graph: RevisionGraph, above: c.Set[str], below: c.Set[str], last: str
) -> None:
    """Check that the revisions have no relatives that would be lost."""
    for revision in graph.paths:
        needed = {*graph.predecessors_of(revision)}

        if revision in above:
            others = needed - above - below
            problem = "also comes after"
        else:
            others = needed & (above - {last})
            problem = "comes after"

        if others:
            raise RevisionError(
                f"Revision {revision} {problem} {min(others)}, so these revisions are"
                f" not one piece of the history. {_NOTHING_CHANGED} Choose another"
                " range."
            )
