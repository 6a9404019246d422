"""Engines, and how to connect with them: with their listeners, and past their pools."""

from __future__ import annotations

import collections.abc as c
import contextlib
import copy
import re
import typing as t

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import SingletonThreadPool
from sqlalchemy.pool import StaticPool

from ..errors import DatabaseConnectionError

Engines: t.TypeAlias = "dict[str, sa.Engine] | dict[str, AsyncEngine]"
_refuses_listeners = re.match(r"2\.0\.[123]\d\b", sa.__version__) is not None
#: Pools of one connection, or of one for each thread.
BOUND_POOLS = (SingletonThreadPool, StaticPool)


def are_async(engines: Engines) -> t.TypeGuard[dict[str, AsyncEngine]]:
    """Whether the engines are async; they are all of one kind."""
    return any(isinstance(engine, AsyncEngine) for engine in engines.values())


def is_bound(engine: sa.Engine | AsyncEngine) -> bool:
    """Whether an engine has one connection, or one a thread, such as SQLite's in-memory
    databases, which are gone with it.
    """
    return isinstance(engine.pool, BOUND_POOLS)


def for_own_loop(engine: AsyncEngine) -> AsyncEngine:
    """The same engine with a pool of its own, so that no connection is ever used in a
    loop that it was not made in.
    """
    if is_bound(engine):
        return engine

    return AsyncEngine(_with_own_pool(engine.sync_engine))


def _with_own_pool(engine: sa.Engine) -> sa.Engine:
    # A copy, as an engine made anew would lack the events and settings of this one.
    own = copy.copy(engine)
    # What Engine.execution_options() returns takes its pool from another engine.
    parent = getattr(engine, "_proxied", None)

    if parent is not None:
        own._proxied = _with_own_pool(parent)  # type: ignore[attr-defined]
    else:
        own.pool = engine.pool.recreate()

    return own


def listenable(engine: sa.Engine) -> tuple[sa.Engine, dict[str, t.Any]]:
    """The engine to connect with so that the connection takes listeners, and the
    options that the connection lacks then.

    Before 2.0.40, SQLAlchemy refuses them where ``Engine.execution_options()`` made the
    engine.
    """
    options: dict[str, t.Any] = {}

    if _refuses_listeners:
        while (parent := getattr(engine, "_proxied", None)) is not None:
            options = {**engine.get_execution_options(), **options}
            engine = parent

    return engine, options


def see_to_dialect(connection: sa.Connection) -> None:
    """Let the dialect learn what it needs to know of the server.

    SQLAlchemy does it on the first connection of an engine and of all its copies; what
    other threads connect meanwhile would be used too early.

    :param connection: A connection that is not in a transaction.
    """
    if connection.dialect.default_schema_name is None:
        connection.dialect.initialize(connection)
        connection.rollback()


def connect_beside(
    engines: c.Mapping[str, sa.Engine],
) -> c.Callable[[str], contextlib.AbstractContextManager[sa.Connection]]:
    """How to connect to each of these without taking from their pools, which can be
    exhausted by the connection that is open already.
    """

    @contextlib.contextmanager
    def connect(name: str) -> c.Iterator[sa.Connection]:
        engine = _with_own_pool(engines[name])

        try:
            with named_errors(name, engine.url):
                connection = engine.connect()

            with connection:
                see_to_dialect(connection)
                yield connection
        finally:
            engine.dispose()

    return connect


@contextlib.contextmanager
def named_errors(name: str, url: sa.URL) -> c.Iterator[None]:
    try:
        yield
    except Exception as e:
        raise DatabaseConnectionError(name, url, e) from e
