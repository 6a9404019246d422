"""Scratch copies of the databases: made, dropped."""

from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t
import uuid

from sqlalchemy.exc import DBAPIError

from ..errors import first_line
from ..errors import PlanError

if t.TYPE_CHECKING:
    from ..migration.environment import Environment

#: How the name of each scratch copy begins.
PREFIX = "async_alembic_plan_"


def create(env: Environment) -> dict[str, str]:
    """Create an empty database beside each.

    :return: What stands for each in a URL, by the name of the original.
    :raises PlanError: If a server refuses.
    """
    created: dict[str, str] = {}

    try:
        for name in env.names:
            if name in env.databases.private:
                raise PlanError(name, "it is in memory, so it cannot be traced")

            created[name] = _create(env, name)
    except BaseException:
        drop(env, created)
        raise

    return created


def drop(env: Environment, databases: c.Mapping[str, str]) -> None:
    """Drop databases that :func:`create` has created."""
    for name, database in databases.items():
        with _autocommit(env, name) as connection:
            env.dialect(name).drop_scratch(connection, database)


def _create(env: Environment, name: str) -> str:
    dialect = env.dialect(name)

    try:
        with _autocommit(env, name) as connection:
            return dialect.create_scratch(connection, f"{PREFIX}{uuid.uuid4().hex}")
    except DBAPIError as e:
        raise PlanError(
            name,
            f"no scratch copy of it can be made: {first_line(e.orig or e)}",
            f"A trace needs the privileges {dialect.scratch_privileges}",
        ) from e


@contextlib.contextmanager
def _autocommit(env: Environment, name: str) -> c.Iterator[t.Any]:
    with env.databases.connect(name) as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")
