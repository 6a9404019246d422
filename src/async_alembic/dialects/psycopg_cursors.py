"""Cursors of psycopg that bind on the client, and behave as those of psycopg2."""

from __future__ import annotations

import typing as t

import psycopg
from psycopg.pq import TransactionStatus


class ClientCursor(psycopg.ClientCursor[t.Any]):
    def execute(self, *args: t.Any, **kwargs: t.Any) -> t.Self:
        super().execute(*args, **kwargs)

        # Of several statements, the last one's rows are those to fetch.
        while self.nextset():
            pass

        if _has_left_transaction(self.connection):
            self.connection.autocommit = True

        return self


class AsyncClientCursor(psycopg.AsyncClientCursor[t.Any]):
    async def execute(self, *args: t.Any, **kwargs: t.Any) -> t.Self:
        await super().execute(*args, **kwargs)

        while self.nextset():
            pass

        if _has_left_transaction(self.connection):
            await self.connection.set_autocommit(True)

        return self


def cursor_factory_of(
    connection: psycopg.Connection[t.Any] | psycopg.AsyncConnection[t.Any],
) -> type[ClientCursor] | type[AsyncClientCursor]:
    if isinstance(connection, psycopg.AsyncConnection):
        return AsyncClientCursor

    return ClientCursor


def _has_left_transaction(connection: t.Any) -> bool:
    """Whether the statement has ended the transaction, as ``COMMIT`` does. psycopg
    would begin another one, and not let what follows run outside of one.
    """
    is_idle = connection.info.transaction_status == TransactionStatus.IDLE
    return is_idle and not connection.autocommit
