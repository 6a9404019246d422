"""Several metadatas on one database, and several databases in one history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic.errors import MigrationError
from async_alembic.errors import NotUpToDateError
from async_alembic.errors import UnknownRevisionInDatabaseError
from async_alembic.migration.environment import Environment

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
from ..harness import write_revision

SQLITE = [by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")]
POSTGRESQL = [by_id("postgresql-psycopg2"), by_id("postgresql-asyncpg")]
#: Those that can roll DDL back.
on_atomic_backends = on([*SQLITE, *POSTGRESQL])
on_each_kind = on([*SQLITE, by_id("postgresql-asyncpg"), by_id("mariadb-pymysql")])


def metadata_of(table: str) -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table(table, metadata, sa.Column("id", sa.Integer, primary_key=True))
    return metadata


class Shop:
    """An app with the table "users" in one database and "orders" in another.

    :param names: The names of the two.
    """

    def __init__(
        self,
        backend: Backend,
        engines: EngineFactory,
        root: Path,
        names: tuple[str, str] = ("default", "other"),
        **config: Any,
    ) -> None:
        self.users: AnyEngine = engines(backend)
        self.orders: AnyEngine = engines(backend)
        self.names = names
        self.app = make_app("flask", root, **config)
        self.migrations = root / "migrations"
        self.metadatas = metadata_of("users"), metadata_of("orders")
        self.alembic = Alembic(
            self.app,
            metadatas=dict(zip(names, self.metadatas, strict=True)),
            engines=dict(zip(names, (self.users, self.orders), strict=True)),
        )

    def write_revision(
        self, revision: str, after: str | None, users: str, orders: str
    ) -> None:
        """Write one as Alembic's multidb template does.

        :param users: The code to upgrade the database of that name.
        :param orders: The same of the other one.
        """
        first, second = self.names
        write_revision(
            self.migrations,
            revision,
            after,
            upgrade="globals()[f'upgrade_{engine_name}']()",
            args="engine_name",
            top=f"def upgrade_{first}():\n    {users}\n"
            f"def upgrade_{second}():\n    {orders}\n",
        )


@pytest.fixture
def shop(backend: Backend, engines: EngineFactory, tmp_path: Path) -> Shop:
    return Shop(backend, engines, tmp_path)


@on_each_kind
def test_several_metadatas_share_one_database_and_one_history(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    app = make_app("flask", tmp_path)
    engine = engines(backend)
    metadatas = [metadata_of("users"), metadata_of("orders")]
    alembic = Alembic(app, metadatas=metadatas, engines=engine)

    assert len(caller(alembic, "revision", "both")) == 1
    caller(alembic, "upgrade")
    assert caller.tables(engine) == {"users", "orders"}
    assert caller(alembic, "revision", "again") == []


@on_each_kind
def test_each_database_gets_its_own_part_of_a_revision(
    shop: Shop, caller: Caller
) -> None:
    [script] = caller(shop.alembic, "revision", "tables")
    text = Path(script.path).read_text()
    assert text.index("def upgrade_default") < text.index("def upgrade_other")

    assert ids(caller(shop.alembic, "upgrade")) == [script.revision]
    assert caller.tables(shop.users) == {"users"}
    assert caller.tables(shop.orders) == {"orders"}
    assert caller(shop.alembic, "revision", "again") == []

    assert ids(caller(shop.alembic, "downgrade", "base")) == [script.revision]
    assert caller.tables(shop.users) == caller.tables(shop.orders) == set()


@on_each_kind
def test_a_difference_in_one_database_makes_a_revision_for_that_one(
    shop: Shop, caller: Caller
) -> None:
    caller(shop.alembic, "revision", "tables")
    caller(shop.alembic, "upgrade")
    column = sa.Column("total", sa.Integer)
    shop.metadatas[1].tables["orders"].append_column(column)

    assert caller(shop.alembic, "needs_revision") is True
    [difference] = caller(shop.alembic, "compare_metadata")
    assert difference[0] == "add_column"
    produced = caller(shop.alembic, "produce_migrations")
    assert {ops.upgrade_token: ops.is_empty() for ops in produced.upgrade_ops_list} == {
        "default_upgrades": True,
        "other_upgrades": False,
    }

    caller(shop.alembic, "revision", "total")
    caller(shop.alembic, "upgrade")
    assert caller.columns(shop.orders, "orders") == {"id", "total"}
    assert caller.columns(shop.users, "users") == {"id"}


@on_atomic_backends
@pytest.mark.parametrize("failing", ["default", "other"])
def test_no_database_is_changed_if_one_of_them_fails(
    failing: str, shop: Shop, caller: Caller
) -> None:
    """Every transaction is entered before any migration runs."""
    code = {"default": create_table("users"), "other": create_table("orders")}
    failure = {failing: f"{code[failing]}; raise ValueError('no')"}
    shop.write_revision("a1", None, "pass", "pass")
    caller(shop.alembic, "upgrade")
    shop.write_revision("a2", "a1", *code.values())
    shop.write_revision("a3", "a2", *{**{n: "pass" for n in code}, **failure}.values())

    with pytest.raises(MigrationError, match="ValueError|no") as caught:
        caller(shop.alembic, "upgrade")

    assert (caught.value.database, caught.value.revision) == (failing, "a3")
    assert caller.tables(shop.users) == caller.tables(shop.orders) == set()
    assert caller.versions(shop.users) == caller.versions(shop.orders) == ["a1"]

    shop.write_revision("a3", "a2", "pass", "pass")
    assert ids(caller(shop.alembic, "upgrade")) == ["a2", "a3"]
    assert caller.tables(shop.users) == {"users"}
    assert caller.tables(shop.orders) == {"orders"}


@on(POSTGRESQL)
def test_a_commit_that_fails_takes_back_what_is_not_committed_yet(
    shop: Shop, caller: Caller
) -> None:
    """A deferred constraint is only checked by the commit."""
    violation = (
        "op.execute('CREATE TABLE orders (id int UNIQUE INITIALLY DEFERRED)');"
        "op.execute('INSERT INTO orders VALUES (1), (1)')"
    )
    shop.write_revision("a1", None, create_table("users"), violation)

    with pytest.raises(Exception, match="duplicate key|orders_id_key"):
        caller(shop.alembic, "upgrade")

    assert caller.tables(shop.users) == caller.tables(shop.orders) == set()
    assert caller.versions(shop.users) == caller.versions(shop.orders) == []


@on_each_kind
def test_every_database_is_looked_at(shop: Shop, caller: Caller) -> None:
    """Flask-Alembic asks the default one alone."""
    shop.write_revision("a1", None, "pass", create_table("orders"))
    shop.write_revision("a2", "a1", "pass", "pass")
    caller(shop.alembic, "upgrade", "a1")
    assert ids(caller(shop.alembic, "current")) == ["a1"]

    caller.execute(shop.users, "UPDATE alembic_version SET version_num = 'a2'")
    assert {*ids(caller(shop.alembic, "current"))} == {"a1", "a2"}
    assert caller(shop.alembic, "needs_upgrade") is True
    status = caller(shop.alembic, "status")
    assert status["default"].state == "current"
    assert (status["other"].state, ids(status["other"].pending)) == ("behind", ["a2"])

    with pytest.raises(NotUpToDateError, match="'other'"):
        caller(shop.alembic, "revision", "too early")

    assert ids(caller(shop.alembic, "upgrade")) == ["a2"]
    assert caller(shop.alembic, "needs_upgrade") is False
    assert ids(caller(shop.alembic, "current")) == ["a2"]

    caller.execute(shop.orders, "UPDATE alembic_version SET version_num = 'b1'")
    assert caller(shop.alembic, "status")["other"].unknown == ("b1",)

    for method in "current", "needs_upgrade", "wait_until_current", "upgrade":
        with pytest.raises(UnknownRevisionInDatabaseError, match="'other'.* b1"):
            caller(shop.alembic, method)

    caller(shop.alembic, "stamp", "heads", purge=True)
    assert caller.versions(shop.orders) == ["a2"]


@on_each_kind
def test_the_databases_can_have_any_names(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """What means one database means the first one, if none is named "default"."""
    shop = Shop(backend, engines, tmp_path, names=("people", "sales"))
    caller(shop.alembic, "revision", "tables")
    caller(shop.alembic, "upgrade")
    assert caller.tables(shop.users) == {"users"}
    assert caller.tables(shop.orders) == {"orders"}
    assert [*caller(shop.alembic, "status")] == ["people", "sales"]

    with caller.inside(shop.app):
        caller.op(shop.alembic, "drop_table", "users")

    assert caller.tables(shop.users) == set()
    names = caller(shop.alembic, "run", lambda env: (env.default, [*env.ops]))
    assert names == ("people", ["people", "sales"])


@on_each_kind
def test_run_reaches_every_database_by_its_name(shop: Shop, caller: Caller) -> None:
    """In Flask-Alembic, ``ops["other"]`` is the default database."""

    def create_both(env: Environment) -> None:
        env.op.create_table("users", sa.Column("id", sa.Integer))
        env.ops["other"].create_table("orders", sa.Column("id", sa.Integer))

    caller(shop.alembic, "run", create_both)
    assert caller.tables(shop.users) == {"users"}
    assert caller.tables(shop.orders) == {"orders"}


@on_atomic_backends
def test_run_changes_no_database_if_it_fails(shop: Shop, caller: Caller) -> None:
    def create_both_and_fail(env: Environment) -> None:
        env.op.execute("CREATE TABLE users (id int)")
        env.ops["other"].execute("CREATE TABLE orders (id int)")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        caller(shop.alembic, "run", create_both_and_fail)

    assert caller.tables(shop.users) == caller.tables(shop.orders) == set()


@on_each_kind
@blocking_only
def test_ops_are_bound_to_the_database_of_their_name(
    shop: Shop, caller: Caller
) -> None:
    """In Flask-Alembic, ``ops["other"]`` is the default database."""

    def create_both() -> None:
        sync = shop.alembic.sync
        sync.op.create_table("users", sa.Column("id", sa.Integer))
        sync.ops["other"].create_table("orders", sa.Column("id", sa.Integer))
        contexts = sync.migration_contexts
        assert [*contexts] == [*sync.ops] == ["default", "other"]
        assert contexts["other"].get_current_revision() is None

    with caller.inside(shop.app):
        caller.block(create_both)

    assert caller.tables(shop.users) == {"users"}
    assert caller.tables(shop.orders) == {"orders"}


@on_each_kind
def test_a_history_of_flask_migrate_with_two_databases_goes_on(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """Its multidb template calls the default database "", and ``env.py`` is there."""
    shop = Shop(backend, engines, tmp_path, names=("", "other"))
    versions = shop.migrations / "versions"
    versions.mkdir()
    (shop.migrations / "env.py").write_text("raise AssertionError('executed')")
    shop.migrations = versions
    shop.write_revision("a1", None, create_table("users"), "pass")

    assert ids(caller(shop.alembic, "upgrade")) == ["a1"]
    assert caller.tables(shop.users) == {"users"}

    [script] = caller(shop.alembic, "revision", "orders")
    assert Path(script.path).parent == versions
    assert script.down_revision == "a1"
    assert ids(caller(shop.alembic, "upgrade")) == [script.revision]
    assert caller.tables(shop.orders) == {"orders"}
