"""Cursors for psycopg that bind on the client and behave like psycopg2's."""

from __future__ import annotations

import contextlib
import typing as t

import psycopg
from psycopg.adapt import RecursiveDumper
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


def _reject_copy(query: object) -> None:
    is_text = isinstance(query, str) and "copy" in query.lower()

    if is_text and any(statement.is_copy for statement in split(str(query))):
        # The driver would leave the connection in the middle of COPY, unusable.
        raise psycopg.NotSupportedError(NO_COPY)


def cursor_factory_for(
    connection: psycopg.Connection[t.Any] | psycopg.AsyncConnection[t.Any],
) -> type[ClientCursor] | type[AsyncClientCursor]:
    if isinstance(connection, psycopg.AsyncConnection):
        return AsyncClientCursor

    return ClientCursor


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
        return super().quote(obj) if obj else b"'{}'"


class _TupleDumper(_ItemsDumper):
    form = b"(%b)"


def _register_dumpers(cursor: ClientCursor | AsyncClientCursor) -> None:
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
