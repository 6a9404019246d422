"""Reach a database past this package: by a driver that blocks, on a connection of its
own. Nothing here may need pytest, as the benchmarks use it too.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

#: By the name that SQLAlchemy has for the database system.
BLOCKING_DRIVERS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg2",
    "mysql": "mysql+pymysql",
}


def blocking_url(url: sa.URL) -> sa.URL:
    """The same database, without what is only for another driver."""
    driver = BLOCKING_DRIVERS[url.get_backend_name()]
    return url.set(drivername=driver, query={})


def execute(url: sa.URL, statement: str, *parameters: object) -> list[Any]:
    """Execute a statement, and commit it. Returns its rows, if any."""
    engine = sa.create_engine(blocking_url(url), poolclass=sa.NullPool)

    with engine.begin() as connection:
        result = connection.exec_driver_sql(statement, parameters or None)
        return [tuple(row) for row in result] if result.returns_rows else []


#: The sessions of a database, and how one is ended.
SESSIONS = {
    "postgresql": (
        "SELECT pid FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    ),
    "mysql": (
        "SELECT id FROM information_schema.processlist"
        " WHERE db = DATABASE() AND id <> CONNECTION_ID() ORDER BY id"
    ),
}
END_SESSION = {"postgresql": "SELECT pg_terminate_backend(%s)", "mysql": "KILL %s"}


def sessions(url: sa.URL) -> list[int]:
    """The ids of the sessions that the server has for a database."""
    return [pid for (pid,) in execute(url, SESSIONS[url.get_backend_name()])]


def end_sessions(url: sa.URL, *pids: int) -> None:
    """End sessions, as a server does that restarts; by default, all of a database."""
    for pid in pids or sessions(url):
        execute(url, END_SESSION[url.get_backend_name()], pid)
