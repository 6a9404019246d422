"""Copies of engines, and connections from outside their pools."""

from __future__ import annotations

import collections.abc as c
import contextlib
import contextvars
import copy
import re
import sys
import typing as t
import weakref

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.pool import Pool
from sqlalchemy.pool import QueuePool
from sqlalchemy.pool import SingletonThreadPool
from sqlalchemy.pool import StaticPool

from ..dialects import dialect_named
from ..dialects import dialect_of
from ..errors import AsyncAlembicError
from ..errors import causes_of
from ..errors import DatabaseConnectionError
from ..errors.secrets import hide_secrets

if t.TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

Engines: t.TypeAlias = "dict[str, sa.Engine] | dict[str, AsyncEngine]"
_option_engine_refuses_listeners = (
    re.match(r"2\.0\.[123]\d\b", sa.__version__) is not None
)


class _Place(t.NamedTuple):
    args: c.Sequence[t.Any]
    kwargs: dict[str, t.Any]


#: The arguments of the driver for the connection that is being made, if any.
_own_arguments: contextvars.ContextVar[c.Mapping[str, t.Any] | None] = (
    contextvars.ContextVar("own_arguments", default=None)
)
#: Where to connect instead: the arguments of the driver that differ, if any.
_other_place: contextvars.ContextVar[_Place | None] = contextvars.ContextVar(
    "other_place", default=None
)
#: The dialect of a connection that is kept, once a migration has used it. What was
#: compiled for it serves the next one.
_DIALECT = "async_alembic_dialect"
_kept_pools: weakref.WeakSet[Pool] = weakref.WeakSet()
#: The engine whose copy has a pool.
_origins: weakref.WeakKeyDictionary[Pool, sa.Engine] = weakref.WeakKeyDictionary()
#: Pools with one connection, or one connection per thread.
SINGLE_CONNECTION_POOLS = (SingletonThreadPool, StaticPool)


def are_async(engines: Engines) -> t.TypeGuard[dict[str, AsyncEngine]]:
    """Whether the engines are async. All are of one kind."""
    return any(map(is_async, engines.values()))


def is_async(engine: object) -> t.TypeGuard[AsyncEngine]:
    """Whether an object is an ``AsyncEngine``."""
    # The module imports the ORM. Where there is an AsyncEngine, it has been imported.
    # Another thread may just begin to import it.
    module = sys.modules.get("sqlalchemy.ext.asyncio")
    return isinstance(engine, getattr(module, "AsyncEngine", ()))


def is_single_connection(engine: sa.Engine | AsyncEngine) -> bool:
    """Whether an engine has one connection, or one per thread. SQLite's in-memory
    databases use such engines, and disappear with the connection.
    """
    return isinstance(engine.pool, SINGLE_CONNECTION_POOLS)


def with_own_pool(engine: sa.Engine) -> sa.Engine:
    """Return a copy of an engine whose connections are made in the same way, but are
    not those of the engine's pool.
    """
    return _copied(engine, engine.pool.recreate())


def with_kept_connections(
    engine: sa.Engine, count: int, are_wanted: c.Callable[[], bool]
) -> sa.Engine:
    """Return a copy of an engine that keeps connections of its own, which one migration
    after another uses. Whoever makes it disposes of it.

    :param count: How many there may be.
    :param are_wanted: Returns whether there is another migration to use one. Others
        may be waiting for the sessions of a pooler.
    """
    pool_class = AsyncAdaptedQueuePool if engine.dialect.is_async else QueuePool
    # There's no public way to make a pool that connects as another one does.
    pool = pool_class(
        engine.pool._creator,
        pool_size=count,
        max_overflow=0,
        dialect=engine.dialect,
        _dispatch=engine.pool.dispatch,
    )
    _kept_pools.add(pool)
    dialect = dialect_named(engine.dialect.name)

    # Before the app's own listeners, which may set up the session.
    @event.listens_for(pool, "checkout", insert=True)
    def reset(connection: t.Any, record: t.Any, fairy: object) -> None:
        if _DIALECT in record.info:
            try:
                dialect.reset_session(connection, engine.dialect.driver)
            except Exception as e:
                # The server may have closed it meanwhile. The pool makes another one.
                raise DisconnectionError from e

    @event.listens_for(pool, "checkin")
    def close_unwanted(connection: object, record: t.Any) -> None:
        if not are_wanted():
            record.invalidate()

    return _copied(engine, pool)


def keeps_connections(engine: sa.Engine | AsyncEngine) -> bool:
    """Return whether an engine is made by :func:`with_kept_connections`."""
    return engine.pool in _kept_pools


def is_copy(engine: sa.Engine | AsyncEngine) -> bool:
    """Return whether an engine is a copy, whose pool nobody disposes of."""
    return engine.pool in _origins


def _copied(engine: sa.Engine, pool: Pool) -> sa.Engine:
    """Return a copy of an engine with another pool."""
    # A new engine would lack the listeners and settings of this one.
    engine_copy = copy.copy(engine)
    # An engine made by Engine.execution_options() uses the pool of its parent.
    parent = getattr(engine, "_proxied", None)

    if parent is not None:
        engine_copy._proxied = _copied(parent, pool)  # type: ignore[attr-defined]
    else:
        engine_copy.pool = pool
        _origins[pool] = _origins.get(engine.pool, engine)

    return engine_copy


def replace_connections(engines: c.Iterable[sa.Engine]) -> None:
    """Make the pools of engines, or of those that they are copies of, replace the
    connections that they have, each when it is next used. Drivers keep plans of
    statements and ids of types, which a migration may have changed.
    """
    for engine in engines:
        pool = _origins.get(engine.pool, engine).pool

        if not isinstance(pool, SINGLE_CONNECTION_POOLS):
            # There's no public way that does not close them now, which only the loop
            # that they belong to can do.
            pool._invalidate(None)  # type: ignore[arg-type]


@contextlib.contextmanager
def own_arguments(engine: sa.Engine, is_own: bool = True) -> c.Iterator[None]:
    """Use the dialect's own arguments of the driver to make a connection.

    :param is_own: Whether the connection is not for the app's pool.
    """
    arguments = None

    if is_own:
        arguments = dialect_of(engine).connect_arguments.get(engine.dialect.driver)

    if arguments:
        _listen(engine)

    token = _own_arguments.set(arguments)

    try:
        yield
    finally:
        _own_arguments.reset(token)


def copied_by(
    copying: c.Callable[..., sa.Engine], engine: sa.Engine | AsyncEngine, *args: t.Any
) -> t.Any:
    """Return what a function makes of an engine, of the same kind as the engine.

    :param copying: Takes an ``Engine`` and the arguments.
    """
    if is_async(engine):
        return type(engine)(copying(engine.sync_engine, *args))

    return copying(t.cast("sa.Engine", engine), *args)


def with_other_database(engine: sa.Engine, database: str) -> sa.Engine:
    """Return a copy of an engine that connects in the same way, but to another database
    of the server. An engine that is made with a ``creator`` connects to its own: ask
    the server.

    :param database: What stands for it in a URL.
    """
    url = engine.url.set(database=database)
    before, after = map(engine.dialect.create_connect_args, (engine.url, url))
    changed = {k: v for k, v in after[1].items() if before[1].get(k) != v}
    place = _Place(after[0], changed)
    are_databases = dialect_of(engine).schemas_are_databases
    copied = with_schema(engine, database) if are_databases else with_own_pool(engine)

    parts = [*_parts(copied)]

    for part in parts:
        part.url = url

    # There's no public way to tell the connections of one engine from those of another
    # that has the same dialect.
    pool = parts[-1].pool
    create = pool._invoke_creator

    def create_there(record: t.Any) -> t.Any:
        token = _other_place.set(place)

        try:
            return create(record)
        finally:
            _other_place.reset(token)

    _listen(engine)
    pool._creator = create_there  # type: ignore[assignment]
    return copied


def with_schema(engine: sa.Engine, schema: str) -> sa.Engine:
    """Return a copy of an engine for sessions whose default schema is another one. Who
    uses it sets the search path of the sessions, or connects to another database.
    """
    is_kept = keeps_connections(engine)
    copied = _copied(engine, engine.pool) if is_kept else with_own_pool(engine)
    # The pool still connects by the engine's dialect: both have the same listeners.
    _listen(engine)
    # Where it looks for tables that have no schema.
    dialect = copy.copy(engine.dialect)
    dialect.default_schema_name = schema

    for part in _parts(copied):
        part.dialect = dialect

    return copied


def _parts(engine: sa.Engine) -> c.Iterator[sa.Engine]:
    """Yield an engine, and the one that it has the pool of."""
    yield engine

    while (parent := getattr(engine, "_proxied", None)) is not None:
        engine = parent
        yield engine


def needs_own_pool(engine: sa.Engine | AsyncEngine) -> bool:
    """Return whether a migration must not take its connection from an engine's pool."""
    return not is_single_connection(engine) and not keeps_connections(engine)


def _listen(engine: sa.Engine) -> None:
    # event.contains() goes by ids, which another dialect may have had that is gone.
    if _connect not in [*engine.dialect.dispatch.do_connect]:
        event.listen(engine.dialect, "do_connect", _connect)


def _connect(
    dialect: t.Any, record: object, args: c.Sequence[t.Any], kwargs: dict[str, t.Any]
) -> t.Any:
    # The dialect is that of the app's engine, too, so its own connects pass by here.
    arguments, place = _own_arguments.get(), _other_place.get()

    if place is not None:
        args, kwargs = place.args, {**kwargs, **place.kwargs}
    elif not arguments:
        return None

    return dialect.connect(*args, **{**kwargs, **(arguments or {})})


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


def prepare_connection(connection: sa.Connection) -> None:
    """Initialize the dialect of a connection from the server, if that is not done yet,
    and let it forget what an earlier migration has set.

    SQLAlchemy initializes a dialect on the first connection of an engine and its
    copies. Other threads could use their connections before that is finished.

    :param connection: A connection that is not in a transaction.
    """
    if connection.dialect.default_schema_name is None:
        connection.dialect.initialize(connection)
        connection.rollback()

    if keeps_connections(connection.engine):
        if (dialect := connection.info.get(_DIALECT)) is not None:
            dialect.default_schema_name = connection.dialect.default_schema_name
            connection.dialect = dialect
            _repeat_connect(connection)

        connection.info[_DIALECT] = connection.dialect


def _repeat_connect(connection: sa.Connection) -> None:
    """Call the app's listeners for new connections. A session that is reset has lost
    what they have set.
    """
    pooled = connection.connection

    for listener in connection.engine.pool.dispatch.connect:
        # What SQLAlchemy's own ones set up is not of the session.
        if not (getattr(listener, "__module__", None) or "").startswith("sqlalchemy."):
            # There's no public way to get the record.
            listener(pooled.dbapi_connection, pooled._connection_record)


@contextlib.contextmanager
def wrap_connection_errors(name: str, url: sa.URL) -> c.Iterator[None]:
    try:
        yield
    except AsyncAlembicError:
        raise
    except Exception as e:
        error = DatabaseConnectionError(name, url, e)

        # A log would show the cause as it is.
        if any(hide_secrets(str(cause), url) != str(cause) for cause in causes_of(e)):
            raise error from None

        raise error from e
