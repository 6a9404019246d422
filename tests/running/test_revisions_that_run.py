"""What a revision sees of its caller, and what a caller sees of a revision's error."""

from __future__ import annotations

import contextvars
from pathlib import Path

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic.errors import MigrationError

from ..backends import ASYNC_BACKENDS
from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..backends import on_all_backends
from ..harness import Caller
from ..harness import Framework
from ..harness import ids
from ..harness import make_app
from ..harness import on_both_frameworks
from ..harness import write_revision
from .sites import Site

tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="nobody")


@on_all_backends
def test_revisions_see_the_context_variables_of_the_caller(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    site = Site(engines(backend), tmp_path)
    site.pass_in(tenant=tenant)
    site.revision("a2", "a1", "assert op.get_context().opts['tenant'].get() == 'acme'")
    caller.block(lambda: tenant.set("acme"))
    assert ids(caller(site.alembic, "upgrade")) == ["a1", "a2"]


@on_both_frameworks
@on([by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")])
def test_revisions_see_the_app_whose_context_it_is(
    framework: Framework,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    app = make_app(framework, tmp_path, TENANT="acme")
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engines(backend))
    code = f"from {framework} import current_app as app\nassert app.config['TENANT']"
    write_revision(tmp_path / "migrations", "a1", upgrade=code)

    with caller.inside(app):
        assert ids(caller(alembic, "upgrade")) == ["a1"]


@on_all_backends
def test_an_error_keeps_its_cause_and_its_place(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    site = Site(engines(backend), tmp_path, "raise LookupError('no such thing')")

    with pytest.raises(MigrationError, match="no such thing") as caught:
        caller(site.alembic, "upgrade")

    cause = caught.value.__cause__
    assert isinstance(cause, LookupError)
    frames = []
    traceback = cause.__traceback__

    while traceback is not None:
        frames.append(traceback.tb_frame.f_code.co_filename)
        traceback = traceback.tb_next

    assert frames[-1] == str(site.migrations / "a1.py") == caught.value.path


@on(ASYNC_BACKENDS)
def test_op_run_async_awaits_on_the_connection_of_the_migration(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """For what only the driver's own, async interface can do."""
    site = Site(engines(backend), tmp_path)
    site.revision(
        "a2",
        "a1",
        """
        async def insert(connection):
            await connection.execute(sa.text("INSERT INTO users (id) VALUES (1)"))

        op.run_async(insert)
        """,
    )
    assert ids(caller(site.alembic, "upgrade")) == ["a1", "a2"]
    assert caller.query(site.engine, "SELECT id FROM users") == [(1,)]


@on_all_backends
def test_an_exit_of_a_revision_reaches_its_caller(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """With the code that it asks for, and no other error."""
    site = Site(engines(backend), tmp_path, "raise SystemExit(3)")

    with pytest.raises(SystemExit) as caught:
        caller(site.alembic, "upgrade")

    assert caught.value.code == 3
    assert caller(site.alembic, "current") == ()
