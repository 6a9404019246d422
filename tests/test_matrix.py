"""Everything that the extension can do, in every way that it can be called."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.runtime.migration import RevisionStep

from async_alembic import Alembic
from async_alembic.errors import WaitTimeoutError
from async_alembic.migration.environment import Environment

from .backends import Backend
from .backends import EngineFactory
from .backends import on_all_backends
from .harness import Caller
from .harness import Framework
from .harness import ids
from .harness import make_app
from .harness import on_both_frameworks


@pytest.fixture
def metadata() -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table(
        "users",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(50), nullable=False),
    )
    return metadata


@on_all_backends
@on_both_frameworks
@pytest.mark.parametrize("in_context", [True, False], ids=["in_context", "no_context"])
def test_everything_works_in_every_way(
    framework: Framework,
    in_context: bool,
    caller: Caller,
    backend: Backend,
    engines: EngineFactory,
    metadata: sa.MetaData,
    tmp_path: Path,
) -> None:
    """One walk, so that no way of calling is left behind by any of the methods."""
    app = make_app(framework, tmp_path)
    engine = engines(backend)
    alembic = Alembic(app, metadatas=metadata, engines=engine, run_mkdir=False)

    def call(method: str, *args: Any, **kwargs: Any) -> Any:
        return caller(alembic, method, *args, **kwargs)

    def live_context() -> contextlib.AbstractContextManager[None]:
        # The connection of these is open until the end of an app context.
        needed = not caller.awaited and isinstance(engine, sa.Engine) and not in_context
        return caller.inside(app) if needed else contextlib.nullcontext()

    def path_of(revision: str) -> Path:
        script = caller.block(lambda: alembic.script.get_revision(revision))
        return Path(script.path)

    def downgrade_steps(heads: tuple[str, ...], target: str) -> list[RevisionStep]:
        return alembic.script._downgrade_revs(target, heads[0])

    def drop_email_and_add_ada(env: Environment) -> int:
        env.op.drop_column("users", "email")
        env.op.bulk_insert(metadata.tables["users"], [{"name": "Ada"}])
        [row] = env.op.get_bind().execute(sa.text("SELECT count(*) FROM users"))
        return int(row[0])

    with caller.inside(app) if in_context else contextlib.nullcontext():
        # An empty folder, an empty database.
        call("mkdir")
        assert (tmp_path / "migrations/script.py.mako").exists()
        assert call("heads") == call("current") == ()
        assert call("log") == call("branches") == []

        # The models have a table that the database lacks.
        assert call("needs_revision") is True
        [(kind, table)] = call("compare_metadata")
        assert (kind, table.name) == ("add_table", "users")
        [create_table] = call("produce_migrations").upgrade_ops.ops
        assert create_table.table_name == "users"

        # A revision creates it.
        [first] = ids(call("revision", "create users"))
        assert "op.create_table('users'" in path_of(first).read_text()
        assert ids(call("heads")) == [first]
        assert call("needs_upgrade") is True
        status = call("status")["default"]
        assert (status.state, ids(status.pending)) == ("empty", [first])

        with pytest.raises(WaitTimeoutError):
            call("wait_until_current", 0)

        assert ids(call("upgrade")) == [first]
        assert caller.columns(engine, "users") == {"id", "name"}
        assert caller.versions(engine) == [first]

        # Nothing is left to do.
        assert call("upgrade") == call("revision", "again") == []
        assert call("compare_metadata") == []
        assert call("needs_upgrade") is call("needs_revision") is False
        assert call("wait_until_current", 0) is None
        assert ids(call("current")) == ids(call("heads")) == [first]
        assert call("status")["default"].state == "current"

        # What no revision did is seen as well.
        with live_context():
            caller.op(alembic, "add_column", "users", sa.Column("email", sa.String(50)))
            assert caller.context(alembic, "get_current_revision") == first

        assert caller.columns(engine, "users") == {"id", "name", "email"}
        assert call("needs_revision") is True
        assert call("run", drop_email_and_add_ada) == 1
        assert caller.columns(engine, "users") == {"id", "name"}
        assert caller.query(engine, "SELECT name FROM users") == [("Ada",)]

        # Two branches, which are joined again.
        [left] = ids(call("revision", "left", empty=True))
        [right] = ids(call("revision", "right", empty=True, parent=first, splice=True))
        assert ids(call("branches")) == [first]
        assert {*ids(call("upgrade"))} == {left, right}
        assert caller.versions(engine) == sorted([left, right])
        merged = call("merge", message="join").revision
        assert ids(call("upgrade")) == [merged]
        assert call("merge") is None
        assert len(call("log")) == 4
        assert ids(call("log", "current")) == [merged]

        # And all the way back.
        assert ids(call("downgrade", left)) == [merged]
        call("stamp", merged)
        assert caller.versions(engine) == [merged]
        call("run_migrations", lambda heads, _: downgrade_steps(heads, first))
        assert caller.versions(engine) == [first]
        assert ids(call("downgrade")) == [first]
        assert caller.tables(engine) == set()
        assert caller.versions(engine) == []
