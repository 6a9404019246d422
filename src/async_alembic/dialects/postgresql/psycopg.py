"""Cursors for psycopg that bind on the client and behave like psycopg2's."""

from __future__ import annotations

import contextlib
import typing as t

import psycopg
from psycopg.abc import AdaptContext
from psycopg.adapt import RecursiveDumper
from psycopg.client_cursor import ClientCursorMixin
from psycopg.pq import TransactionStatus

from .splitting import NO_COPY
from .splitting import split

if t.TYPE_CHECKING:
    import collections.abc as c


class ClientCursor(psycopg.ClientCursor[t.Any]):
    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        _register_dumpers(self)

    def execute(self, query: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Self:
        _reject_copy(query)

        with _with_pgcode():
            super().execute(query, *args, **kwargs)

        # Only the rows of the last statement are fetched.
        while self.nextset():
            pass

        if _has_left_transaction(self.connection):
            self.connection.autocommit = True

        return self


class AsyncClientCursor(psycopg.AsyncClientCursor[t.Any]):
    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        _register_dumpers(self)

    async def execute(self, query: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Self:
        _reject_copy(query)

        with _with_pgcode():
            await super().execute(query, *args, **kwargs)

        while self.nextset():
            pass

        if _has_left_transaction(self.connection):
            await self.connection.set_autocommit(True)

        return self


class ServerCursor(ClientCursorMixin[t.Any, t.Any], psycopg.ServerCursor[t.Any]):
    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        _register_dumpers(self)

    def execute(self, *args: t.Any, **kwargs: t.Any) -> t.Self:
        with _with_pgcode():
            return super().execute(*args, **kwargs)


class AsyncServerCursor(
    ClientCursorMixin[t.Any, t.Any], psycopg.AsyncServerCursor[t.Any]
):
    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        _register_dumpers(self)

    async def execute(self, *args: t.Any, **kwargs: t.Any) -> t.Self:
        with _with_pgcode():
            return await super().execute(*args, **kwargs)


def _reject_copy(query: object) -> None:
    is_text = isinstance(query, str) and "copy" in query.lower()

    if is_text and any(statement.is_copy for statement in split(str(query))):
        # The driver would leave the connection in the middle of COPY, unusable.
        raise psycopg.NotSupportedError(NO_COPY)


def cursor_factories_for(
    connection: psycopg.Connection[t.Any] | psycopg.AsyncConnection[t.Any],
) -> dict[str, type[t.Any]]:
    """Return the classes of a connection's cursors, by the name of its attribute."""
    if isinstance(connection, psycopg.AsyncConnection):
        return {
            "cursor_factory": AsyncClientCursor,
            "server_cursor_factory": AsyncServerCursor,
        }

    return {"cursor_factory": ClientCursor, "server_cursor_factory": ServerCursor}


class _ItemsDumper(RecursiveDumper):
    """Writes each item as a literal, so that the server sees its type."""

    form: t.ClassVar[bytes]

    def quote(self, obj: c.Collection[t.Any]) -> bytes:
        return self.form % b", ".join(map(self._tx.as_literal, obj))

    # Only used for server-side binding.
    dump = quote


class _ListDumper(_ItemsDumper):
    form = b"ARRAY[%b]"

    def quote(self, obj: c.Collection[t.Any]) -> bytes:
        if all(item is None for item in obj):
            # With a type of items, the server would not infer it from the column.
            return b"'{%b}'" % b",".join([b"NULL"] * len(obj))

        return super().quote(obj)


class _TupleDumper(_ItemsDumper):
    form = b"(%b)"


def _register_dumpers(cursor: AdaptContext) -> None:
    cursor.adapters.register_dumper(list, _ListDumper)
    cursor.adapters.register_dumper(tuple, _TupleDumper)


@contextlib.contextmanager
def _with_pgcode() -> c.Iterator[None]:
    """Give errors psycopg2's name for ``sqlstate``."""
    try:
        yield
    except psycopg.Error as e:
        t.cast("t.Any", e).pgcode = e.sqlstate
        raise


def _has_left_transaction(connection: t.Any) -> bool:
    """Return whether the statement ended the transaction, as ``COMMIT`` does. psycopg
    would begin another one instead of running the next statements outside of one.
    """
    is_idle = connection.info.transaction_status == TransactionStatus.IDLE
    return is_idle and not connection.autocommit
