"""``with_options()``: the same apps, with other databases, folders and arguments."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic import ScriptLocationError
from async_alembic import TargetError

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..harness import AnyEngine
from ..harness import blocking_only
from ..harness import Caller
from ..harness import create_table
from ..harness import ids
from ..harness import make_app
from ..harness import queries_of
from ..harness import write_revision

BOTH_KINDS = [by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")]
on_both_kinds = on(BOTH_KINDS)


class Shop:
    """An app with the databases "users" and "orders", whose revision makes a table of
    the same name in each.
    """

    def __init__(self, backend: Backend, engines: EngineFactory, root: Path) -> None:
        self.engines: dict[str, AnyEngine] = {
            name: engines(backend) for name in ("users", "orders")
        }
        self.app = make_app("flask", root)
        self.migrations = root / "migrations"
        self.alembic = Alembic(
            self.app,
            metadatas={name: table(name) for name in self.engines},
            engines=dict(self.engines),
        )
        code = "op.create_table(engine_name, sa.Column('id', sa.Integer))"
        write_revision(
            self.migrations,
            "a1",
            None,
            code,
            "op.drop_table(engine_name)",
            args="engine_name",
        )


def table(name: str) -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table(name, metadata, sa.Column("id", sa.Integer))
    return metadata


@pytest.fixture
def shop(backend: Backend, engines: EngineFactory, tmp_path: Path) -> Shop:
    return Shop(backend, engines, tmp_path)


@on([*BOTH_KINDS, by_id("postgresql-asyncpg"), by_id("mariadb-pymysql")])
def test_one_of_several_databases_can_be_migrated(shop: Shop, caller: Caller) -> None:
    """A revision still gets the name of the database."""
    orders = shop.alembic.with_options(database="orders")
    assert ids(caller(orders, "upgrade")) == ["a1"]
    assert caller(orders, "upgrade") == []
    assert caller.tables(shop.engines["orders"]) == {"orders"}
    assert caller.versions(shop.engines["users"]) == []
    assert {*caller(orders, "status")} == {"orders"}
    assert not caller(orders, "needs_upgrade")
    assert caller(shop.alembic, "needs_upgrade")
    assert caller(orders, "compare_metadata") == []
    assert ids(caller(orders, "downgrade")) == ["a1"]
    caller(orders, "stamp")
    assert ids(caller(orders, "current")) == ["a1"]
    assert caller.versions(shop.engines["users"]) == []


@on_both_kinds
def test_a_revision_can_be_generated_for_one_database(
    shop: Shop, caller: Caller
) -> None:
    """The other database may be behind; its functions are empty."""
    (shop.migrations / "a1.py").unlink()
    orders = shop.alembic.with_options(database="orders")
    [script] = caller(orders, "revision", "orders only")
    text = Path(script.path).read_text()
    assert "op.create_table('orders'" in text
    assert "def upgrade_users()" in text
    assert "'users'" not in text
    caller(shop.alembic, "upgrade")
    assert caller.tables(shop.engines["orders"]) == {"orders"}
    assert caller.tables(shop.engines["users"]) == set()


@on_both_kinds
def test_several_databases_can_be_named(shop: Shop, caller: Caller) -> None:
    both = shop.alembic.with_options(database=["orders", "users"])
    assert [*caller(both, "status")] == ["users", "orders"]


@on_both_kinds
def test_an_unknown_database_is_named_with_those_that_there_are(
    shop: Shop, caller: Caller
) -> None:
    with pytest.raises(TargetError, match="no database 'x'.*'users', 'orders'"):
        caller(shop.alembic.with_options(database="x"), "current")


@on_both_kinds
def test_the_databases_that_are_not_used_are_not_connected_to(
    shop: Shop, caller: Caller
) -> None:
    queries = queries_of(shop.engines["users"])
    caller(shop.alembic.with_options(database="orders"), "upgrade")
    assert queries == []


@on_both_kinds
def test_the_proxies_use_the_database_that_is_named(shop: Shop, caller: Caller) -> None:
    orders = shop.alembic.with_options(database="orders")

    with caller.inside(shop.app):
        caller.op(orders, "execute", "CREATE TABLE more (id INTEGER)")
        caller.op(shop.alembic, "execute", "CREATE TABLE less (id INTEGER)")

    assert caller.tables(shop.engines["orders"]) == {"more"}
    assert caller.tables(shop.engines["users"]) == {"less"}


@on(BOTH_KINDS[:1])
@blocking_only
def test_the_connection_of_op_is_closed_with_the_app_context(
    shop: Shop, caller: Caller
) -> None:
    """The fixture of the engines finds one that is not."""
    with caller.inside(shop.app):
        assert [*caller.block(lambda: _ops(shop, "orders"))] == ["orders"]
        assert [*caller.block(lambda: _ops(shop, "orders", "users"))] == [
            *("users", "orders")
        ]


def _ops(shop: Shop, *names: str) -> dict[str, object]:
    return dict(shop.alembic.with_options(database=names).sync.ops)


@on_both_kinds
def test_another_folder_can_be_named(
    shop: Shop, caller: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative one starts where the caller is, as a path on the command line does."""
    write_revision(tmp_path / "other", "o1", args="engine_name")
    monkeypatch.chdir(tmp_path)
    other = shop.alembic.with_options(directory="other")
    monkeypatch.chdir("/")
    assert ids(caller(other, "heads")) == ["o1"]
    assert other.script_directory.dir == str(tmp_path / "other")
    assert ids(caller(other, "upgrade")) == ["o1"]
    assert ids(caller(shop.alembic, "heads")) == ["a1"]

    with pytest.raises(ScriptLocationError, match="gone"):
        caller(shop.alembic.with_options(directory=tmp_path / "gone"), "heads")


@on_both_kinds
def test_a_revision_gets_arguments(shop: Shop, caller: Caller) -> None:
    code = "op.create_table(context.get_x_argument(as_dictionary=True)['table'])"
    code = code.replace(")['table'])", ")['table'], sa.Column('id', sa.Integer))")
    top = "from alembic import context"
    write_revision(shop.migrations, "b2", "a1", code, args="engine_name", top=top)
    given = shop.alembic.with_options(x_args=["table=t1", "other"])
    caller(given, "upgrade")
    assert "t1" in caller.tables(shop.engines["users"])
    assert given.config.cmd_opts.x == ["table=t1", "other"]  # type: ignore[union-attr]
    assert shop.alembic.config.cmd_opts.x == []  # type: ignore[union-attr]


@on_both_kinds
def test_options_add_up(shop: Shop, caller: Caller, tmp_path: Path) -> None:
    write_revision(tmp_path / "other", "o1", args="engine_name")
    other = shop.alembic.with_options(directory=tmp_path / "other")
    assert ids(caller(other.with_options(database="orders"), "upgrade")) == ["o1"]
    assert caller.versions(shop.engines["users"]) == []


@on_both_kinds
def test_an_app_that_is_registered_later_is_known(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    alembic = Alembic(metadatas=table("users"), engines=engines(backend))
    view = alembic.with_options(x_args=["a"])
    app = make_app("flask", tmp_path)
    alembic.init_app(app)
    write_revision(tmp_path / "migrations", "a1", None, create_table("users"))
    assert ids(caller(view, "upgrade")) == ["a1"]
