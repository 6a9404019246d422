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
