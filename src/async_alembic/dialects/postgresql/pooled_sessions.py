"""Poolers such as PgBouncer, which lend a session of the server to a transaction."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

_IS_POOLED = "async_alembic_is_pooled"


def is_pooled(connection: sa.Connection) -> bool:
    """Return whether a pooler may give each transaction another session.

    A pooler invents the process id that the protocol tells the client. A proxy such as
    HAProxy or pgpool passes on that of the server.

    :param connection: A connection to the database.
    """
    info = connection.info

    if _IS_POOLED not in info:
        told = _protocol_pid(connection.connection.driver_connection)
        # pg_is_in_recovery() is volatile, so that a proxy asks the primary, whose id
        # it has told.
        statement = sa.text("SELECT pg_backend_pid(), pg_is_in_recovery()")
        pid, _ = connection.execute(statement).one()
        info[_IS_POOLED] = told is not None and told != pid

    return bool(info[_IS_POOLED])


def _protocol_pid(driver_connection: t.Any) -> int | None:
    if hasattr(driver_connection, "get_server_pid"):  # asyncpg
        return t.cast("int", driver_connection.get_server_pid())

    info = getattr(driver_connection, "info", None)  # psycopg and psycopg2
    return t.cast("int | None", getattr(info, "backend_pid", None))
