"""Puts databases under migrations that were made without them."""

from __future__ import annotations

import collections.abc as c
import typing as t

import sqlalchemy as sa
from alembic import autogenerate

from ..autogenerate.differences import describe
from ..autogenerate.differences import differences_of
from ..autogenerate.unknown_tables import full_name
from ..dialects.companion_tables import lease_table
from ..errors import RevisionError
from ..errors.from_alembic import converted_errors
from ..migration import half_applied
from ..migration.events import CallEvents
from ..migration.retries import migrate_exclusively
from ..migration.revisions import RevisionRunner
from ..migration.steps import StepRunner
from ..results import Adoption
from .compare import comparing
from .migrate import plan_stamp
from .migrate import plan_upgrade

if t.TYPE_CHECKING:
    from ..migration.environment import Environment
    from ..migration.transactions import Transactions


def adopt(env: Environment) -> dict[str, Adoption]:
    events = CallEvents(env, "upgrade")

    with events.failure_sent(), converted_errors():
        return _adopt(env, events)


def _adopt(env: Environment, events: CallEvents) -> dict[str, Adoption]:
    heads = env.project.files.graph.real_heads
    adopted: dict[str, Adoption] = {}
    applied: dict[str, c.Iterable[str]] = {}

    if not heads:
        raise RevisionError(
            "There are no revisions that a database could be at. Write the first one"
            " with 'db revision', against an empty database."
        )

    def work(transactions: Transactions) -> None:
        for name in env.names:
            # Only what is found under the lock counts.
            adopted[name] = _look(env, name, heads)
            applied[name] = _write(env, name, adopted[name], transactions, events)

    env.databases.offload(lambda: env.project.scripts.check_linear())
    migrate_exclusively(env, env.names, work)
    events.finish(applied)
    return adopted


def _look(env: Environment, name: str, heads: tuple[str, ...]) -> Adoption:
    """Return what is to be done with a database."""
    # An error would end the transaction, in which the lock may be held.
    current = env.current_heads(name, is_missing=True)

    if current or half_applied.is_recorded(env, name):
        env.check_known(name, current)
        return Adoption("managed", current)

    if not any(_objects(env, name)):
        return Adoption("upgraded", heads)

    if not any(metadata.tables for metadata in _metadatas(env, name)):
        return Adoption("different", (), ("the app has no models to compare it with",))

    differences, unknown = _compare(env, name)

    if differences:
        return Adoption("different", (), differences, unknown)

    return Adoption("stamped", heads, (), unknown)


def _write(
    env: Environment,
    name: str,
    adoption: Adoption,
    transactions: Transactions,
    events: CallEvents,
) -> c.Iterable[str]:
    """Write what is to be written, and return the ids of revisions that were run."""
    if adoption.outcome == "upgraded":
        runner = RevisionRunner(env, name, half_applied.Way.REFUSE, events)
        runner.run(transactions, plan_upgrade(env, ["heads"]))
        return runner.applied

    if adoption.outcome == "stamped":
        StepRunner(env, name).run(transactions, plan_stamp(env, ["heads"]))

    return ()


def _compare(env: Environment, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the differences from the models, and the tables that are in no model."""
    context = env.contexts[name]

    with comparing(env, name, warn=False, keep=True) as comparison:
        script = autogenerate.produce_migrations(
            context, context.opts["target_metadata"]
        )

    # Alembic leaves the version table out only where it is to look for it.
    unknown = comparison.unknown_tables.kept
    kept = (key for key in unknown if key[1] != env.version_table)
    differences = tuple(describe(differences_of(script)))
    return differences, tuple(map(full_name, kept))


def _objects(env: Environment, name: str) -> c.Iterator[str]:
    """Yield what is in the schemas of a database that the models are in."""
    connection, dialect = env.connection(name), env.dialect(name)
    inspector = sa.inspect(connection)
    dependent = dialect.dependent_tables(connection)
    lease = lease_table(env.version_table)

    for schema in _schemas(env, name):
        real_schema = schema or connection.dialect.default_schema_name

        for table in inspector.get_table_names(schema):
            if table != lease and (real_schema, table) not in dependent:
                yield table

        yield from inspector.get_view_names(schema)

        if connection.dialect.supports_sequences:
            yield from inspector.get_sequence_names(schema)

        yield from dialect.other_objects(connection, schema)


def _metadatas(env: Environment, name: str) -> c.Sequence[sa.MetaData]:
    found = env.metadatas[name]
    return [found] if isinstance(found, sa.MetaData) else found


def _schemas(env: Environment, name: str) -> c.Iterable[str | None]:
    schemas = [
        env.translated_schema(name, table.schema)
        for metadata in _metadatas(env, name)
        for table in metadata.tables.values()
    ]
    return dict.fromkeys([None, *schemas])
