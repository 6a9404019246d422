"""Commands for all tenants of an app at once."""

from __future__ import annotations

import collections.abc as c
import typing as t

import sqlalchemy as sa
from sqlalchemy.schema import CreateSchema

from ..apps.tenants import missing_schema
from ..dialects.schema_heads import read_schema_heads
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


def create_schema(env: Environment, schema: str) -> None:
    """Create a schema in the default database, unless it exists."""
    _create(env, CreateSchema(schema, if_not_exists=True))


def create_database(env: Environment, database: str) -> None:
    """Create a database beside the one that is open."""
    quoted = env.connection(env.default).dialect.identifier_preparer.quote(database)
    _create(env, sa.text(f"CREATE DATABASE {quoted}".replace(":", r"\:")))


@converted_database_errors()
def _create(env: Environment, statement: sa.Executable) -> None:
    with env.databases.connect(env.default) as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(statement)


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
