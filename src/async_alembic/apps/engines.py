"""Copies of engines, and connections from outside their pools."""

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
_option_engine_refuses_listeners = (
    re.match(r"2\.0\.[123]\d\b", sa.__version__) is not None
)
#: Pools with one connection, or one connection per thread.
SINGLE_CONNECTION_POOLS = (SingletonThreadPool, StaticPool)


def are_async(engines: Engines) -> t.TypeGuard[dict[str, AsyncEngine]]:
    """Whether the engines are async. All are of one kind."""
    return any(isinstance(engine, AsyncEngine) for engine in engines.values())


def is_single_connection(engine: sa.Engine | AsyncEngine) -> bool:
    """Whether an engine has one connection, or one per thread. SQLite's in-memory
    databases use such engines, and disappear with the connection.
    """
    return isinstance(engine.pool, SINGLE_CONNECTION_POOLS)


def copy_for_own_loop(engine: AsyncEngine) -> AsyncEngine:
    """Return a copy of an engine with its own pool, so that no connection is used in a
    different loop than the one it was opened in. A single-connection engine is returned
    as it is.
    """
    if is_single_connection(engine):
        return engine

    return AsyncEngine(_with_own_pool(engine.sync_engine))


def _with_own_pool(engine: sa.Engine) -> sa.Engine:
    # A new engine would lack the listeners and settings of this one.
    engine_copy = copy.copy(engine)
    # An engine made by Engine.execution_options() uses the pool of its parent.
    parent = getattr(engine, "_proxied", None)

    if parent is not None:
        engine_copy._proxied = _with_own_pool(parent)  # type: ignore[attr-defined]
    else:
        engine_copy.pool = engine.pool.recreate()

    return engine_copy


def resolve_option_engine(engine: sa.Engine) -> tuple[sa.Engine, dict[str, t.Any]]:
    """Return an engine whose connections accept listeners, and the execution options to
    set on these connections.

    SQLAlchemy before 2.0.40 refuses listeners on the connections of an engine made by
    ``Engine.execution_options()``.
    """
    options: dict[str, t.Any] = {}

    if _option_engine_refuses_listeners:
        while (parent := getattr(engine, "_proxied", None)) is not None:
            options = {**engine.get_execution_options(), **options}
            engine = parent

    return engine, options


def initialize_dialect(connection: sa.Connection) -> None:
    """Initialize the dialect from the server, if that is not done yet.

    SQLAlchemy initializes it on the first connection of an engine and its copies. Other
    threads could use their connections before that is finished.

    :param connection: A connection that is not in a transaction.
    """
    if connection.dialect.default_schema_name is None:
        connection.dialect.initialize(connection)
        connection.rollback()


def out_of_band_connector(
    engines: c.Mapping[str, sa.Engine],
) -> c.Callable[[str], contextlib.AbstractContextManager[sa.Connection]]:
    """Return a function that opens an extra connection to a database by its name. It
    bypasses the engine's pool, because the open connection may be the last in the pool.
    """

    @contextlib.contextmanager
    def connect(name: str) -> c.Iterator[sa.Connection]:
        engine = _with_own_pool(engines[name])

        try:
            with wrap_connection_errors(name, engine.url):
                connection = engine.connect()

            with connection:
                initialize_dialect(connection)
                yield connection
        finally:
            engine.dispose()

    return connect


@contextlib.contextmanager
def wrap_connection_errors(name: str, url: sa.URL) -> c.Iterator[None]:
    try:
        yield
    except Exception as e:
        raise DatabaseConnectionError(name, url, e) from e
