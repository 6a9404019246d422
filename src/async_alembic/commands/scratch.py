"""Scratch copies of the databases: created, migrated, dropped."""

from __future__ import annotations

import collections.abc as c
import os
import typing as t
import uuid

from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateSchema

from ..apps.guarded_engines import trying_out
from ..errors import first_line
from ..errors import MigrationError
from ..errors import PlanError
from ..migration import half_applied
from ..migration.events import CallEvents
from ..migration.retries import migrate_exclusively
from ..migration.revisions import RevisionRunner

if t.TYPE_CHECKING:
    from ..migration.environment import Environment
    from ..migration.environment import Steps
    from ..migration.transactions import Transactions

T = t.TypeVar("T")

#: How the name of each scratch copy begins.
PREFIX = "async_alembic_scratch_"


def create(env: Environment, created: dict[str, str]) -> None:
    """Create an empty database beside each.

    :param created: Gets what stands for each in a URL, by the name of the original,
        also if the call fails or is cancelled.
    :raises PlanError: If a server refuses.
    """
    for name in env.names:
        if name in env.databases.private:
            raise PlanError(name, "it is in memory")

        # Before it exists, as a cancelled call may have created it nevertheless.
        created[name] = f"{PREFIX}{uuid.uuid4().hex}"
        created[name] = _create(env, name, created[name])


def run(
    env: Environment,
    databases: c.Mapping[str, str],
    command: c.Callable[..., T],
    *args: t.Any,
) -> T:
    """Run a command that tries revisions out.

    :param env: The scratch copies.
    :param databases: What stands for each in a URL.
    :raises PlanError: If a revision fails.
    """
    _check_places(env, databases)
    _create_version_schemas(env)

    try:
        with trying_out():
            return command(env, *args)
    except MigrationError as e:
        line = f", line {e.line}" if e.line else ""
        raise PlanError(
            e.database,
            f"on a scratch copy, revision {e.revision} fails in {e.path}{line}:"
            f" {first_line(e.__cause__ or e)}",
            "Correct the revision",
        ) from e


def upgrade(
    env: Environment,
    steps: c.Mapping[str, Steps],
    at_end: c.Callable[[], None] = lambda: None,
) -> None:
    """Apply revisions to scratch copies.

    :param steps: The steps of each, by its name.
    :param at_end: Is called before it is committed.
    """
    events = CallEvents(env, "upgrade")

    def work(transactions: Transactions) -> None:
        for name in steps:
            runner = ScratchRunner(env, name, half_applied.Way.REFUSE, events)
            runner.run(transactions, steps[name])

        at_end()

    if steps:
        migrate_exclusively(env, [*steps], work)


class ScratchRunner(RevisionRunner):
    """Applies revisions, and does not record those that fail."""

    @property
    def _journal(self) -> None:
        return None


def drop(env: Environment, databases: c.Mapping[str, str]) -> None:
    """Drop databases that :func:`create` has created."""
    for name, database in databases.items():
        with env.autocommitting(name) as connection:
            env.dialect(name).new_databases.drop(connection, database)


def _check_places(env: Environment, databases: c.Mapping[str, str]) -> None:
    """Check that the connections are those of the scratch copies."""
    for name, expected in databases.items():
        found = env.find_place(name).database
        env.end_transaction(name)

        if found is None or os.path.basename(found) != os.path.basename(expected):
            raise PlanError(
                name,
                "its engine, a pooler or 'version_table_schema' names a database, so"
                f" that a connection to the scratch copy would use '{found}'",
            )


def _create_version_schemas(env: Environment) -> None:
    """Create the configured schemas of the version tables, as of a tenant."""
    for name in env.names:
        schema = env.version_schema(name)

        if schema is not None and env.dialect(name).has_search_path:
            with env.autocommitting(name) as connection:
                connection.execute(CreateSchema(schema, if_not_exists=True))


def _create(env: Environment, name: str, database: str) -> str:
    databases = env.dialect(name).new_databases

    try:
        with env.autocommitting(name) as connection:
            return databases.create(connection, database)
    except DBAPIError as e:
        raise PlanError(
            name,
            f"no scratch copy of it can be made: {first_line(e.orig or e)}",
            f"That needs the privileges {databases.privileges}",
        ) from e
