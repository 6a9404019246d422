"""Processes that upgrade a database at once, and how that ends well."""

from __future__ import annotations

import os

import sqlalchemy as sa

from ..backends import Backend
from ..direct import execute
from ..racing import Race
from ..racing import read_journal
from ..racing import REVISIONS

#: How often workers race in the lane of all tests; each race has its own order.
ROUNDS = int(os.environ.get("ROUNDS", "3"))
#: A statement that lasts a second.
SECOND = {"postgresql": "SELECT pg_sleep(1)", "mariadb": "SELECT SLEEP(1)"}


def seconds(backend: Backend, count: int) -> str:
    """The code of a revision that lasts as long, and is never idle."""
    statement = SECOND[backend.database]
    return f"for _ in range({count}):\n    op.execute({statement!r})"


def url_of(backend: Backend, url: sa.URL) -> sa.URL:
    """An address from which even SQLAlchemy learns whether the driver is async."""
    both = (backend.driver, backend.is_async)
    suffix = "_async" if both == ("psycopg", True) else ""
    return url.set(drivername=backend.drivername + suffix)


def assert_once(race: Race, url: sa.URL) -> None:
    """All have succeeded, and each revision was applied once.

    :param url: The database, past what stands in between.
    """
    # Not rewritten by pytest.
    assert not race.errors, "\n".join(race.errors)
    journal = read_journal(url)
    assert race.applied == journal == REVISIONS, (race.applied, journal)
    versions = execute(url, "SELECT version_num FROM alembic_version")
    assert versions == [(REVISIONS[-1],)], versions
