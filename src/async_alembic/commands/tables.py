"""Commands that create or drop tables, without a revision."""

from __future__ import annotations

import collections.abc as c
import typing as t

import sqlalchemy as sa

from ..dialects.companion_tables import audit_table
from ..dialects.companion_tables import partial_table
from ..errors.from_alembic import converted_errors
from ..migration.retries import migrate_exclusively
from ..migration.steps import StepRunner

if t.TYPE_CHECKING:
    from ..migration.environment import Environment
    from ..migration.transactions import Transactions


@converted_errors()
def ensure_version(env: Environment) -> list[str]:
    missing = [name for name in env.names if not env.has_version_table(name)]

    def work(transactions: Transactions) -> None:
        for name in missing:
            # Alembic creates the table before it asks for the steps.
            StepRunner(env, name).run(transactions, lambda heads, context: ())

    migrate_exclusively(env, missing, work)
    return missing


@converted_errors()
def drop_all(env: Environment) -> dict[str, list[str]]:
    dropped: dict[str, list[str]] = {}

    def work(transactions: Transactions) -> None:
        dropped.update({name: _drop_tables(env, name) for name in env.names})

    migrate_exclusively(env, env.names, work)
    return dropped


def _drop_tables(env: Environment, name: str) -> list[str]:
    """Drop the tables of the models, and what records the revisions. The table of a
    lease stays, as it is the lock.
    """
    models = [
        table.fullname
        for metadata in _metadatas(env, name)
        for table in _drop_existing(env, name, metadata)
    ]
    records = _records(env.version_table, env.version_schema(name))
    return [*models, *(t.name for t in _drop_existing(env, name, records))]


def _metadatas(env: Environment, name: str) -> list[sa.MetaData]:
    found = env.metadatas[name]
    return [found] if isinstance(found, sa.MetaData) else [*found]


def _records(version_table: str, schema: str | None) -> sa.MetaData:
    metadata = sa.MetaData(schema=schema)

    for name in version_table, partial_table(version_table), audit_table(version_table):
        sa.Table(name, metadata)

    return metadata


def _drop_existing(
    env: Environment, name: str, metadata: sa.MetaData
) -> list[sa.Table]:
    tables = list(_existing(env, name, metadata))
    metadata.drop_all(env.connection(name), tables)
    return tables


def _existing(
    env: Environment, name: str, metadata: sa.MetaData
) -> c.Iterator[sa.Table]:
    inspector = sa.inspect(env.connection(name))
    found: dict[str | None, set[str]] = {}

    for table in metadata.tables.values():
        schema = env.translated_schema(name, table.schema)

        if schema not in found:
            found[schema] = {*inspector.get_table_names(schema)}

        if table.name in found[schema]:
            yield table
