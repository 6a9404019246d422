"""A connection that the server or a proxy ends is told as that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from async_alembic import DatabaseError
from async_alembic import MigrationError
from async_alembic import ReadOnlyError

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..direct import end_sessions
from ..harness import Caller
from ..harness import ids
from ..migration.sites import HOLD
from ..migration.sites import in_a_thread
from ..migration.sites import INSERT
from ..migration.sites import LOG
from ..migration.sites import on_servers
from ..migration.sites import Site


@on_servers
@pytest.mark.parametrize("per_migration", [False, True], ids=["one", "one_each"])
def test_what_is_rolled_back_with_a_lost_connection_is_said(
    per_migration: bool,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    """To correct the revision or the data would be of no use."""
    context = {"transaction_per_migration": per_migration}
    site = Site(engines(backend), tmp_path, ALEMBIC_CONTEXT=context)
    site.history(LOG, INSERT.format(1) + HOLD + INSERT.format(2))

    def end_it() -> None:
        assert site.running.wait(30)
        end_sessions(site.engine.url)
        site.go_on.set()

    with in_a_thread(end_it), pytest.raises(MigrationError) as caught:
        caller(site.alembic, "upgrade")

    error, text = caught.value, str(caught.value)
    assert error.connection_lost
    assert "revision a2" in text and "the connection was lost: " in text
    assert "Correct the revision" not in text
    in_one = backend.database == "postgresql" and not per_migration
    kept = "All of it was" if in_one else "What was not committed was rolled back"
    assert kept in text
    assert caller.versions(site.engine) == ([] if in_one else ["a1"])
    left = ["a1", "a2"] if in_one else ["a2"]
    assert ids(caller(site.alembic, "upgrade")) == left
    rows = caller.query(site.engine, "SELECT id FROM log ORDER BY id")
    assert rows == [(1,), (2,)]


@on_servers
def test_a_connection_of_the_pool_that_was_lost_is_told(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"pool_size": 1, "max_overflow": 0}
    site = Site(engines(backend, **options), tmp_path)
    site.history(LOG)
    caller.query(site.engine, "SELECT 1")
    end_sessions(site.engine.url)

    if caller.awaited or not backend.is_async:
        with pytest.raises(DatabaseError, match="connection to the database was lost"):
            caller(site.alembic, "status")

    # A migration has its own connection.
    assert ids(caller(site.alembic, "upgrade")) == ["a1"]


@on([by_id("postgresql-asyncpg"), by_id("postgresql-psycopg2")])
def test_a_read_only_server_is_told_before_anything_is_tried(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    site = Site(engines(backend), tmp_path)
    site.history(LOG)
    site.app.config["ALEMBIC_SESSION"] = {"default_transaction_read_only": "on"}

    with pytest.raises(ReadOnlyError, match="'default'.*replica.*Connect to the prim"):
        caller(site.alembic, "upgrade")

    assert caller(site.alembic, "status")["default"].state == "empty"
