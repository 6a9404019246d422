"""What a batch change on SQLite does to a table."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import Alembic

from ...harness import awaited_only
from ...twins import on_sqlite
from ...twins import Twin
from .features import FEATURES
from .shops import ADD
from .shops import batch
from .shops import DROP
from .shops import feature
from .shops import read
from .shops import run
from .shops import SHOP
from .shops import Shop
from .shops import with_column


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    made: list[Shop] = []

    def make(*ddl: str) -> Shop:
        made.append(Shop(tmp_path, *ddl))
        return made[-1]

    yield make

    for shop in made:
        shop.engine.dispose()


MakeShop = Callable[..., Shop]
RENAME = batch("alter_column('name', new_column_name='title')")


def test_a_renamed_column_is_renamed_in_all_that_names_it(shop: MakeShop) -> None:
    changed = shop(
        with_column(
            "name TEXT CHECK (shop.name <> 'name')",
            "length INT AS (length([name]))",
            'CONSTRAINT c CHECK (length("name") < 9)',
        ),
        "CREATE INDEX i ON shop (lower(name)) WHERE name <> 'name'",
        "CREATE INDEX name ON shop (name DESC)",
    )
    changed.change(RENAME)
    sql = changed.sql("shop")
    assert """CHECK ("title" <> 'name')""" in sql
    assert 'AS (length("title"))' in sql
    assert 'CONSTRAINT c CHECK (length("title") < 9)' in sql
    expected = """CREATE INDEX i ON shop (lower("title")) WHERE "title" <> 'name'"""
    assert changed.sql("i") == expected
    assert changed.sql("name") == 'CREATE INDEX name ON shop ("title" DESC)'


def test_a_table_is_the_same_after_any_number_of_changes(shop: MakeShop) -> None:
    """Such as parentheses, which could be one more each time."""
    changed = shop(*FEATURES["defaults"].ddl)
    changed.change(f"{ADD}\n{DROP}")
    once = changed.sql("shop")
    changed.change(f"{ADD}\n{DROP}\n{ADD}\n{DROP}")
    assert changed.sql("shop") == once


@pytest.mark.parametrize("key", ["INTEGER PRIMARY KEY", "TEXT PRIMARY KEY"])
def test_a_new_column_gets_the_default_that_it_has_in_python(
    key: str, shop: MakeShop
) -> None:
    """SQLAlchemy puts it into the statement that copies the rows."""
    changed = shop(
        f"CREATE TABLE shop (id {key}, name TEXT)", "INSERT INTO shop VALUES (1, 'a')"
    )
    column = "sa.Column('extra', sa.Integer, nullable=False, default=7)"
    changed.change(
        batch(
            f"add_column({column})",
            "alter_column('name', new_column_name='title', type_=sa.String(9))",
        )
    )
    assert changed.query("SELECT title, extra FROM shop") == [("a", 7)]


def test_what_names_a_dropped_column_goes_with_it(shop: MakeShop) -> None:
    """As PostgreSQL has it, where such a revision may run as well."""
    changed = shop(
        with_column(
            "name TEXT CHECK (name <> 'q')",
            "size INT CHECK (size > 0)",
            "UNIQUE (name)",
        ),
        "CREATE INDEX i ON shop (lower(name))",
        "CREATE INDEX j ON shop (name, size)",
        "CREATE INDEX k ON shop (size DESC)",
    )
    changed.change(batch("drop_column('name')"))
    found = changed.query("SELECT name FROM sqlite_master WHERE sql IS NOT NULL")
    assert {name for (name,) in found} == {"shop", "k"}
    assert "CHECK (size > 0)" in changed.sql("shop")


@pytest.mark.parametrize(
    ("check", "stays"), [("name IN ('a', 'b')", False), ("length(name) < 9", True)]
)
def test_a_type_that_is_replaced_takes_its_own_check_with_it(
    check: str, stays: bool, shop: MakeShop
) -> None:
    """That of an ``Enum`` or ``Boolean`` would refuse the values of the new one."""
    changed = shop(with_column(f"name VARCHAR(1) COLLATE NOCASE CHECK ({check})"))

    with warnings.catch_warnings():
        # Newer versions of Alembic tell that they leave it out.
        warnings.filterwarnings("ignore", "Unnamed CHECK constraint")
        changed.change(batch("alter_column('name', type_=sa.String(5))"))

    assert ("CHECK" in changed.sql("shop")) == stays
    assert 'name VARCHAR(5) COLLATE "NOCASE"' in changed.sql("shop")


def test_a_new_column_brings_the_check_of_its_type(shop: MakeShop) -> None:
    changed = shop(with_column("name TEXT", "CHECK (id > 0)"))
    type_ = "sa.Boolean(create_constraint=True, name='b')"
    changed.change(batch(f"add_column(sa.Column('open', {type_}))", recreate="always"))
    assert "CONSTRAINT b CHECK (open IN (0, 1))" in changed.sql("shop")
    assert "CHECK (id > 0)" in changed.sql("shop")


def test_ids_are_no_longer_counted_if_the_batch_says_so(shop: MakeShop) -> None:
    changed = shop(
        "CREATE TABLE shop (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT)"
    )
    changed.change(batch("alter_column('name', nullable=False)"))
    assert "AUTOINCREMENT" in changed.sql("shop")
    changed.change(batch("alter_column('id', autoincrement=False)"))
    assert "AUTOINCREMENT" not in changed.sql("shop")
    assert "PRIMARY KEY" in changed.sql("shop")


def test_what_the_batch_drops_is_dropped(shop: MakeShop) -> None:
    changed = shop(
        "CREATE TABLE shop (id INTEGER PRIMARY KEY, name TEXT,\n"
        "CONSTRAINT c CHECK (id > 0),\nCONSTRAINT u UNIQUE (name),\n"
        "CONSTRAINT f FOREIGN KEY (name) REFERENCES shop (id) ON DELETE CASCADE)",
        "CREATE INDEX i ON shop (name DESC)",
    )
    changed.change(
        batch(
            "drop_constraint('c')",
            "drop_constraint('u')",
            "drop_constraint('f')",
            "create_foreign_key('f', 'shop', ['name'], ['id'])",
            "drop_index('i')",
            "create_index('i', ['id'])",
        )
    )
    assert "CHECK" not in changed.sql("shop")
    assert "UNIQUE" not in changed.sql("shop")
    assert "CASCADE" not in changed.sql("shop")
    assert changed.sql("i") == "CREATE INDEX i ON shop (id)"


def test_a_revision_may_make_by_hand_what_alembic_would_have_lost(
    shop: MakeShop,
) -> None:
    """As those do that were written for Alembic alone."""
    changed = shop(
        SHOP,
        "CREATE TRIGGER t AFTER INSERT ON shop BEGIN SELECT 1; END",
        "CREATE INDEX i ON shop (lower(name))",
    )
    trigger = "CREATE TRIGGER t AFTER INSERT ON shop BEGIN SELECT 2; END"
    index = "CREATE INDEX i ON shop (upper(name))"
    other = "CREATE INDEX j ON shop (id)"
    changed.change(f"{ADD}\n{run(other, trigger, index)}")
    assert changed.sql("t") == trigger
    assert changed.sql("j") == other
    assert changed.sql("i") == "CREATE INDEX i ON shop (upper(name))"

    # What was made by hand is not in the way of nothing.
    with pytest.raises(sa.exc.OperationalError, match="already exists"):
        changed.change(run(trigger))


def test_a_revision_may_go_on_after_a_batch_that_failed(shop: MakeShop) -> None:
    changed = shop(
        SHOP,
        "INSERT INTO shop VALUES (1, NULL)",
        "CREATE INDEX i ON shop (lower(name))",
    )
    before = changed.query("SELECT * FROM sqlite_master")
    fails = batch("alter_column('name', nullable=False)")
    code = "\n    ".join(["try:", *fails.splitlines()])
    changed.change(f"{code}\nexcept sa.exc.IntegrityError:\n    pass")
    assert changed.query("SELECT * FROM sqlite_master") == before
    assert changed.query("PRAGMA legacy_alter_table") == [(0,)]


def test_moving_and_copying_by_hand_stays_as_it_is(shop: MakeShop) -> None:
    changed = shop(*feature(SHOP, "CREATE INDEX i ON shop (lower(name))").ddl)
    changed.change(
        run(
            "CREATE TABLE _alembic_tmp_shop (id INTEGER PRIMARY KEY, title TEXT)",
            "INSERT INTO _alembic_tmp_shop SELECT id, name FROM shop",
            "DROP TABLE shop",
            "ALTER TABLE _alembic_tmp_shop RENAME TO shop",
        )
    )
    assert changed.sql("i") == ""
    assert len(changed.query("SELECT * FROM item")) == 4


def test_a_virtual_table_is_not_made_a_plain_one(shop: MakeShop) -> None:
    """There is nothing of it that could be made anew, so the batch fails."""
    virtual = "CREATE VIRTUAL TABLE shop USING fts5(id, name)"
    changed = shop(virtual, "INSERT INTO shop VALUES (1, 'a')")

    with pytest.raises(sa.exc.CompileError):
        changed.change(RENAME)

    assert changed.sql("shop") == virtual
    assert changed.query("SELECT name FROM shop") == [("a",)]


def test_who_gives_the_whole_table_has_said_what_is_in_it(shop: MakeShop) -> None:
    changed = shop(
        with_column("name TEXT CHECK (name <> 'q') COLLATE NOCASE"),
        "CREATE TRIGGER t AFTER INSERT ON shop BEGIN SELECT 1; END",
        "CREATE INDEX i ON shop (id)",
        "CREATE INDEX j ON shop (name)",
        "CREATE INDEX k ON shop (name DESC)",
    )
    table = (
        "sa.Table('shop', sa.MetaData(), sa.Column('name', sa.Text),"
        " sa.Index('k', 'name'))"
    )
    changed.change(
        f"table = {table}\n"
        "with op.batch_alter_table('shop', copy_from=table, recreate='always'):\n"
        "    pass"
    )
    assert changed.sql("shop") == 'CREATE TABLE "shop" ( name TEXT )'
    assert changed.sql("t")
    assert not changed.sql("i")
    assert changed.sql("j") == "CREATE INDEX j ON shop (name)"
    assert changed.sql("k") == "CREATE INDEX k ON shop (name)"


def test_a_column_is_added_and_renamed_in_a_table_that_is_given(
    shop: MakeShop,
) -> None:
    """Alembic makes that table, and needs the columns as they were."""
    changed = shop("CREATE TABLE shop (name TEXT)")
    changed.change(
        "table = sa.Table('shop', sa.MetaData(), sa.Column('name', sa.Text))\n"
        "with op.batch_alter_table('shop', copy_from=table) as batch:\n"
        "    batch.add_column(sa.Column('x', sa.Text))\n"
        "    batch.alter_column('x', new_column_name='y')"
    )
    assert changed.sql("shop") == 'CREATE TABLE "shop" ( name TEXT, y TEXT )'


def test_a_table_of_an_attached_database_keeps_the_same(shop: MakeShop) -> None:
    changed = shop(SHOP)
    other = changed.file.with_name("other.db")
    indexes = "CREATE INDEX other.i ON shop (lower(name))"
    changed.change(
        "with op.get_context().autocommit_block():\n"
        f"    op.execute(\"ATTACH '{other}' AS other\")\n"
        + run(
            "CREATE TABLE other.shop"
            " (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT CHECK (name <> 'q'))",
            indexes,
            "INSERT INTO other.shop VALUES (9, 'a')",
            "DELETE FROM other.shop",
        )
        + "\n"
        + batch(
            "add_column(sa.Column('extra', sa.Integer))",
            recreate="always",
            schema="other",
        )
    )
    found = read(other)
    assert found["sql"] == [("index", "i", indexes.replace("other.", ""))]
    assert found["sequence"] == [("shop", 9)]
    assert found["checks"][0] == ("shop", 1)
    assert "extra" not in changed.sql("shop")


def tables_of_version(version: int) -> sa.MetaData:
    """The models before and after they were changed."""
    metadata = sa.MetaData()

    def key() -> sa.ForeignKey:
        return sa.ForeignKey("shop.id", ondelete="CASCADE")

    changed: list[Any] = [
        [sa.Column("name", sa.String(20)), sa.Column("old", sa.Integer)],
        [
            sa.Column("name", sa.Text, nullable=False),
            sa.Column("next", sa.Integer, key()),
            sa.UniqueConstraint("name", "next"),
        ],
    ][version]
    sa.Table("shop", metadata, sa.Column("id", sa.Integer, primary_key=True), *changed)
    sa.Table(
        "item",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        # Without a name, in the database as well.
        sa.Column("shop_id", sa.Integer, *([] if version else [key()])),
    )
    return metadata


@on_sqlite
@awaited_only
def test_an_autogenerated_revision_runs_up_and_down(enforcing: Twin) -> None:
    """A column that is changed, one that is dropped, and constraints that are added and
    dropped, which have no name in the models.
    """
    caller, engine = enforcing.caller, enforcing.engine
    shells = [
        Alembic(
            enforcing.app,
            metadatas=tables_of_version(version),
            engines=engine,
            command_name=f"db{version}",
        )
        for version in (0, 1)
    ]
    caller(shells[0], "revision", "first")
    caller(shells[0], "upgrade")
    rows = "INSERT INTO shop VALUES (1, 'a', 5), (2, 'b', NULL)"
    caller.execute(engine, rows, "INSERT INTO item VALUES (1, 1), (2, 1), (3, 2)")
    [script] = caller(shells[1], "revision", "second")
    assert "batch_op.f('uq_shop_name_next')" in Path(script.path).read_text()
    caller(shells[1], "upgrade")
    assert not caller(shells[1], "needs_revision")
    query = "SELECT id, name, next FROM shop"
    assert caller.query(engine, query) == [(1, "a", None), (2, "b", None)]
    caller(shells[1], "downgrade")
    assert not caller(shells[0], "needs_revision")
    assert caller.query(engine, "SELECT id, name FROM shop") == [(1, "a"), (2, "b")]
    assert len(caller.query(engine, "SELECT * FROM item")) == 3
    caller(shells[1], "upgrade")
    assert not caller(shells[1], "needs_revision")
