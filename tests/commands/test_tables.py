"""``ensure_version()`` and ``drop_all()``."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic import DatabaseError

from ..backends import Backend
from ..backends import EngineFactory
from ..backends import on
from ..backends import SHARED_BACKENDS
from ..harness import AnyEngine
from ..harness import Caller
from ..harness import make_app
from ..harness import ONE_OF_EACH_KIND


class Shop:
    """An app whose "posts" refer to "users"."""

    def __init__(self, engine: AnyEngine, root: Path) -> None:
        self.engine = engine
        metadata = sa.MetaData()
        key = sa.Column("id", sa.Integer, primary_key=True)
        sa.Table("users", metadata, key)
        sa.Table("posts", metadata, sa.Column("user", sa.ForeignKey("users.id")))
        self.app = make_app("flask", root)
        self.alembic = Alembic(self.app, metadatas=metadata, engines=engine)


@pytest.fixture
def shop(backend: Backend, engines: EngineFactory, tmp_path: Path) -> Shop:
    return Shop(engines(backend), tmp_path)


def has_version_table(shop: Shop, caller: Caller) -> bool:
    return caller.begin(
        shop.engine, lambda c: sa.inspect(c).has_table("alembic_version")
    )


@on(SHARED_BACKENDS)
def test_the_version_table_is_created_where_it_is_missing(
    shop: Shop, caller: Caller
) -> None:
    assert caller(shop.alembic, "ensure_version") == ["default"]
    assert has_version_table(shop, caller)
    assert caller.versions(shop.engine) == []
    assert caller(shop.alembic, "ensure_version") == []


@on(SHARED_BACKENDS)
def test_the_tables_of_the_models_are_dropped_and_no_other(
    shop: Shop, caller: Caller
) -> None:
    caller(shop.alembic, "revision", "tables")
    caller(shop.alembic, "upgrade")
    caller.execute(shop.engine, "CREATE TABLE other (id INTEGER)")
    assert caller(shop.alembic, "drop_all") == {
        "default": ["users", "posts", "alembic_version"]
    }
    assert caller.tables(shop.engine) == {"other"}
    assert not has_version_table(shop, caller)
    assert len(caller(shop.alembic, "upgrade")) == 1
    assert caller.tables(shop.engine) == {"users", "posts", "other"}


@on(ONE_OF_EACH_KIND)
def test_a_table_that_is_gone_is_not_missed(shop: Shop, caller: Caller) -> None:
    assert caller(shop.alembic, "drop_all") == {"default": []}


@on([b for b in ONE_OF_EACH_KIND if b.database != "sqlite"])
def test_nothing_is_dropped_that_another_table_refers_to(
    shop: Shop, caller: Caller
) -> None:
    caller(shop.alembic, "revision", "tables")
    caller(shop.alembic, "upgrade")
    columns = "id INTEGER, CONSTRAINT fk FOREIGN KEY (id) REFERENCES users (id)"
    caller.execute(shop.engine, f"CREATE TABLE other ({columns})")

    with pytest.raises(DatabaseError, match="users"):
        caller(shop.alembic, "drop_all")

    assert {"users", "other"} <= caller.tables(shop.engine)


@on([b for b in ONE_OF_EACH_KIND if b.database == "mariadb"])
def test_the_record_of_a_failed_revision_is_dropped(shop: Shop, caller: Caller) -> None:
    """Else the next upgrade would find it."""
    [script] = caller(shop.alembic, "revision", "tables")
    path = Path(script.path)
    whole = path.read_text()
    failing = "    op.drop_table('x')\n\n\ndef downgrade"
    path.write_text(whole.replace("def downgrade", failing))

    with pytest.raises(Exception, match="half applied"):
        caller(shop.alembic, "upgrade")

    caller(shop.alembic, "drop_all")
    assert caller.tables(shop.engine) == set()
    path.write_text(whole)
    caller(shop.alembic, "upgrade")
    assert caller.tables(shop.engine) == {"users", "posts"}
