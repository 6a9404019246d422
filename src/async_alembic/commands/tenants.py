"""Commands for all tenants of an app at once."""

from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateSchema

from ..apps.tenants import missing_schema
from ..dialects.schema_heads import read_schema_heads
from ..dialects.verbatim import execute_verbatim
from ..dialects.verbatim import quoted_verbatim
from ..errors import converted_database_errors
from . import inspect
from .deferred import Deferred

if t.TYPE_CHECKING:
    from ..dialects.schema_heads import Heads
    from ..history.targets import StepTarget
    from ..migration.environment import Environment
    from ..plans import Plan
    from ..results import DatabaseStatus


@converted_database_errors()
def read_heads(env: Environment, schemas: c.Iterable[str]) -> dict[str, Heads]:
    """Return the ids that each schema of the default database is at."""
    name = env.default
    heads: dict[str, Heads] = read_schema_heads(
        env.connection(name),
        env.dialect(name),
        env.version_table,
        schemas,
        env.databases.pause,
    )
    return heads


def check_schema(env: Environment) -> None:
    """Check that the schema of the one tenant exists.

    :raises TargetError: If it does not.
    """
    schema = t.cast("str", env.project.settings.tenant_schema)
    connection = env.connection(env.default)

    if not sa.inspect(connection).has_schema(schema):
        raise missing_schema(schema)

    env.end_transaction(env.default)


@converted_database_errors()
def create_schema(env: Environment, schema: str) -> None:
    """Create a schema in the default database, unless it exists."""
    with env.autocommitting(env.default) as connection:
        with _unless(connection, lambda: sa.inspect(connection).has_schema(schema)):
            connection.execute(CreateSchema(schema, if_not_exists=True))


@converted_database_errors()
def create_database(env: Environment, database: str) -> None:
    """Create a database beside the one that is open, unless it exists."""
    databases = env.dialect(env.default).new_databases

    with env.autocommitting(env.default) as connection:
        with _unless(connection, lambda: databases.exists(connection, database)):
            quoted = quoted_verbatim(connection, database)
            execute_verbatim(connection, f"CREATE DATABASE {quoted}")


@converted_database_errors()
def copy_database(env: Environment, source: str, database: str) -> None:
    """Create a database as a copy of another one, unless it exists."""
    databases = env.dialect(env.default).new_databases

    with env.autocommitting(env.default) as connection:
        if databases.exists(connection, database):
            return

        with _unless(connection, lambda: databases.exists(connection, database)):
            databases.copy(connection, source, database)


@contextlib.contextmanager
def _unless(
    connection: sa.Connection, exists: c.Callable[[], bool]
) -> c.Iterator[None]:
    """Ignore an error that somebody else has caused, who has created the same at the
    same time. PostgreSQL has several, even for ``IF NOT EXISTS``.
    """
    try:
        yield
    except DBAPIError:
        connection.rollback()

        if not exists():
            raise


def status(env: Environment) -> DatabaseStatus:
    """Return the status of one tenant."""
    [status] = inspect.status_of_all(env).values()
    return status


def plan(env: Environment, target: StepTarget) -> Plan:
    """Return what an upgrade of one tenant would do."""
    [plan] = Deferred("plan", "plan")(env, target).values()
    return t.cast("Plan", plan)


def check(env: Environment) -> list[str]:
    """Return how the models differ from the database of one tenant."""
    compare = Deferred("compare", "check")
    env.databases.offload(compare.load)
    return t.cast("list[str]", compare(env))
