"""Binds parameters on the client, as psycopg2 does.

If a statement and its parameters are sent separately, the server accepts one statement
at a time, and must know the types of the parameters. psycopg2 sends a single text with
literals instead, and revisions that were written for it rely on that. This module does
the same on drivers that bind on the server.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2
from sqlalchemy.types import NullType

from ..copies import copy_dialect
from ..migrated import is_autocommit
from ..migrated import is_usable
from .asyncpg import AsyncpgBinding
from .untyped import Psycopg2NullType

if t.TYPE_CHECKING:
    from sqlalchemy import Dialect
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.types import TypeEngine

#: The dialect of a session, and its copy.
_COPY = "async_alembic_psycopg2_binding"
#: Only used for rendering, so its driver need not be installed.
_psycopg2: Dialect = t.cast("t.Any", PGDialect_psycopg2)()


@contextlib.contextmanager
def bind_on_client(connection: sa.Connection) -> c.Iterator[None]:
    """Bind the parameters of all statements of a connection on the client.

    :param connection: A connection of any driver. Does nothing on drivers that do so
        anyway.
    """
    original = connection.dialect
    bind = _binders.get(original.driver)

    if bind is None:
        yield
        return

    with bind(connection):
        try:
            yield
        finally:
            connection.dialect = original


def cursor_advice(connection: sa.Connection, error: BaseException) -> str | None:
    """Return what to write instead of code that uses a cursor without SQLAlchemy.

    :param error: The error of a revision; in such code, the driver raised it.
    """
    driver = connection.dialect.driver
    is_of_driver = isinstance(error, connection.dialect.loaded_dbapi.Error)
    name = type(getattr(error, "obj", None)).__name__
    misses = isinstance(error, AttributeError) and "cursor" in name.lower()

    if driver in _binders and (is_of_driver or misses):
        return (
            f"A cursor of {driver} is not one of psycopg2: write op.get_bind().execute("
            "sa.text('... :x'), {'x': ...}), or op.bulk_insert() for many rows"
        )

    return None


def _with_psycopg2_binding(connection: sa.Connection) -> Dialect:
    """Return a copy of a connection's dialect that binds as psycopg2's does, the same
    for all migrations of a session. What is compiled for it serves them all.
    """
    original, copied = connection.info.get(_COPY, (None, t.cast("t.Any", None)))

    if original is not connection.dialect:
        copied = _copied(connection.dialect)
        connection.info[_COPY] = connection.dialect, copied

    # The session may have served another tenant.
    copied.default_schema_name = connection.dialect.default_schema_name
    return t.cast("Dialect", copied)


def _copied(dialect: Dialect) -> Dialect:
    """Copy a dialect, and make it render parameters as psycopg2's, mostly untyped."""
    copied = copy_dialect(dialect)
    copied.bind_typing = _psycopg2.bind_typing
    copied.statement_compiler = _with_psycopg2_casts(copied.statement_compiler)
    copied.paramstyle = "pyformat"
    copied.positional = False
    copied.colspecs = {
        **_without_cast_types(copied.colspecs),
        NullType: Psycopg2NullType,
    }
    copied.identifier_preparer = copied.preparer(copied)
    copied.type_compiler_instance = copied.type_compiler_cls(copied)
    return t.cast("Dialect", copied)


def _without_cast_types(
    colspecs: c.Mapping[type[TypeEngine[t.Any]], type[TypeEngine[t.Any]]],
) -> dict[type[TypeEngine[t.Any]], type[TypeEngine[t.Any]]]:
    """Leave out the types that a dialect has only to render casts. SQLAlchemy would
    substitute them for types such as ``Text`` or ``TIMESTAMP(precision=2)``.
    """
    kept = {}

    for type_, own in colspecs.items():
        names = {name for name in vars(own) if not name.startswith("__")}

        if names - {"render_bind_cast"}:
            kept[type_] = own
        elif type_ in _psycopg2.colspecs:
            kept[type_] = _psycopg2.colspecs[type_]

    return kept


def _with_psycopg2_casts(compiler: type[SQLCompiler]) -> type[SQLCompiler]:
    class ClientCompiler(compiler):  # type: ignore[misc, valid-type]
        def render_bind_cast(
            self,
            type_: TypeEngine[t.Any],
            dbapi_type: TypeEngine[t.Any],
            sqltext: str,
        ) -> str:
            if type_.dialect_impl(_psycopg2).render_bind_cast:
                return t.cast(
                    "str", super().render_bind_cast(type_, dbapi_type, sqltext)
                )

            return sqltext

    return ClientCompiler


@contextlib.contextmanager
def _on_psycopg(connection: sa.Connection) -> c.Iterator[None]:
    from .psycopg import cursor_factories_for

    driver_connection: t.Any = connection.connection.driver_connection
    adapted: t.Any = connection.connection.dbapi_connection
    factories = cursor_factories_for(driver_connection)
    before = {name: getattr(driver_connection, name) for name in factories}
    autocommit = adapted.autocommit

    def begin(connection: sa.Connection) -> None:
        if not is_autocommit(connection):
            # A cursor turned autocommit on when a statement ended the transaction.
            adapted.autocommit = autocommit

    _set_attributes(driver_connection, factories)
    connection.dialect = _with_psycopg2_binding(connection)
    event.listen(connection, "begin", begin)

    try:
        yield
    finally:
        event.remove(connection, "begin", begin)

        if is_usable(connection):
            _set_attributes(driver_connection, before)
            connection.rollback()
            # SQLAlchemy considers a transaction ended even if its commit failed.
            adapted.rollback()
            adapted.autocommit = autocommit


def _set_attributes(target: object, values: c.Mapping[str, object]) -> None:
    for name, value in values.items():
        setattr(target, name, value)


@contextlib.contextmanager
def _on_asyncpg(connection: sa.Connection) -> c.Iterator[None]:
    binding = AsyncpgBinding(connection)

    with binding.installed(_with_psycopg2_binding(connection)):
        yield


_binders = {"asyncpg": _on_asyncpg, "psycopg": _on_psycopg}
