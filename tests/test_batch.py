"""A batch change on SQLite loses nothing but what it was asked to."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import tempfile
import warnings
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import reject
from hypothesis import settings
from hypothesis import strategies as st

from async_alembic import Alembic
from async_alembic import MigrationError
from async_alembic import SyncAlembic
from async_alembic.errors import BatchError

from .apps import awaited_only
from .apps import make_app
from .twins import enforce_foreign_keys
from .twins import on_sqlite
from .twins import Twin


@dataclass(frozen=True)
class Feature:
    """Something that a table can have.

    :param ddl: Makes the tables: ``shop`` is changed, and ``item`` refers to it.
    :param probes: Statements whose outcome tells whether it is there.
    """

    ddl: tuple[str, ...]
    probes: tuple[str, ...] = ()


SHOP = "CREATE TABLE shop (id INTEGER PRIMARY KEY, name TEXT)"
ROWS = (
    "INSERT INTO shop (id, name) VALUES (3, 'c'), (1, 'a'), (7, 'B')",
    "INSERT INTO item VALUES (1, 1), (2, 3), (3, 3), (4, NULL)",
)


def feature(
    shop: str = SHOP, *ddl: str, probes: tuple[str, ...] = (), action: str = "CASCADE"
) -> Feature:
    item = (
        "CREATE TABLE item (id INTEGER PRIMARY KEY, shop_id INTEGER"
        f" REFERENCES shop (id) ON DELETE {action})"
    )
    return Feature((shop, item, *ROWS, *ddl), probes)


def with_column(column: str, *more: str) -> str:
    return f"CREATE TABLE shop ({', '.join(['id INTEGER PRIMARY KEY', column, *more])})"


FEATURES = {
    "children_that_cascade": feature(probes=("DELETE FROM shop WHERE id = 3",)),
    "children_that_are_set_null": feature(action="SET NULL"),
    "a_reference_to_itself": feature(
        with_column("name TEXT", "next INTEGER REFERENCES shop (id) ON UPDATE CASCADE"),
        "UPDATE shop SET next = 3",
        probes=("UPDATE shop SET id = 4 WHERE id = 3",),
    ),
    "a_cycle_of_tables": feature(
        with_column(
            "name TEXT",
            "best INTEGER CONSTRAINT best REFERENCES item"
            " DEFERRABLE INITIALLY DEFERRED",
        ),
        "UPDATE shop SET best = 2",
        probes=("UPDATE shop SET best = 99",),
    ),
    "deferred_key": feature(
        with_column(
            "name TEXT",
            "best INTEGER",
            "CONSTRAINT k FOREIGN KEY (best) REFERENCES item (id) ON DELETE SET NULL"
            " DEFERRABLE INITIALLY DEFERRED",
        ),
        "UPDATE shop SET best = 2",
        probes=("UPDATE shop SET best = 99", "DELETE FROM item"),
    ),
    "a_key_that_is_never_deferred": feature(
        with_column(
            "name TEXT",
            "best INTEGER REFERENCES item ON DELETE SET NULL NOT DEFERRABLE"
            " INITIALLY DEFERRED",
        ),
        "UPDATE shop SET best = 2",
        probes=("UPDATE shop SET best = 99", "UPDATE shop SET best = NULL"),
    ),
    "its_trigger": feature(
        SHOP,
        "CREATE TRIGGER t AFTER UPDATE OF name ON shop WHEN new.name <> 'x'"
        " BEGIN DELETE FROM item WHERE shop_id = new.id; END",
        probes=("UPDATE shop SET name = 'z'",),
    ),
    "the_trigger_of_another_table": feature(
        SHOP,
        "CREATE TRIGGER t AFTER DELETE ON item"
        " BEGIN UPDATE shop SET name = 'gone' WHERE id = old.shop_id; END",
        probes=("DELETE FROM item",),
    ),
    "views": feature(
        SHOP,
        "CREATE VIEW v AS SELECT id, upper(name) AS name FROM shop",
        "CREATE VIEW w AS SELECT count(*) FROM v",
        "CREATE TRIGGER t INSTEAD OF INSERT ON v"
        " BEGIN INSERT INTO shop (name) VALUES (new.name); END",
        probes=("INSERT INTO v (name) VALUES ('new')",),
    ),
    "partial_index": feature(
        SHOP,
        "CREATE UNIQUE INDEX i ON shop (name)"
        " WHERE name <> 'a' AND name NOT LIKE ':x%'",
        probes=(
            "INSERT INTO shop (name) VALUES ('a')",
            "INSERT INTO shop (name) VALUES ('c')",
        ),
    ),
    "expression_index": feature(
        SHOP,
        "CREATE UNIQUE INDEX i ON shop (lower(name), id + 1)",
        "CREATE INDEX j ON shop (lower(name))",
    ),
    "index_with_order_and_collation": feature(
        SHOP,
        "CREATE UNIQUE INDEX i ON shop (name COLLATE NOCASE DESC)",
        probes=("INSERT INTO shop (name) VALUES ('A')",),
    ),
    "without_rowid": feature(
        "CREATE TABLE shop (id INTEGER PRIMARY KEY, name TEXT) WITHOUT ROWID"
    ),
    "strict": feature(
        "CREATE TABLE shop (id INTEGER PRIMARY KEY, name ANY) STRICT",
        probes=("INSERT INTO shop (id, name) VALUES ('x', 1)",),
    ),
    "strict_without_rowid": feature(
        "CREATE TABLE shop (id INTEGER PRIMARY KEY, name TEXT) strict, without rowid"
    ),
    "virtual_column": feature(
        with_column("name TEXT", "length INT GENERATED ALWAYS AS (length(name) + (1))"),
        "CREATE INDEX i ON shop (length)",
    ),
    "stored_column": feature(
        with_column("name TEXT", "length INT NOT NULL AS (length(name || ')')) STORED")
    ),
    "autoincrement": feature(
        "CREATE TABLE shop (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT)",
        "INSERT INTO shop (id, name) VALUES (100, 'last')",
        "DELETE FROM shop WHERE id = 100",
        probes=("INSERT INTO shop (name) VALUES ('next')",),
    ),
    "autoincrement_of_an_empty_table": feature(
        "CREATE TABLE shop (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT)",
        "DELETE FROM item",
        "DELETE FROM shop",
        probes=("INSERT INTO shop (name) VALUES ('next')",),
    ),
    "checks": feature(
        with_column(
            "name TEXT CHECK (name <> ':q)')",
            "CONSTRAINT named CHECK (id < 50 AND (shop.name) <> 'r')",
            "CHECK (id <> 40)",
        ),
        probes=(
            "INSERT INTO shop (name) VALUES (':q)')",
            "INSERT INTO shop (name) VALUES ('r')",
            "INSERT INTO shop (id, name) VALUES (50, 's')",
            "INSERT INTO shop (id, name) VALUES (40, 's')",
        ),
    ),
    "collation": feature(
        with_column("name TEXT COLLATE NOCASE"),
        probes=("DELETE FROM shop WHERE name = 'b'",),
    ),
    "conflicts": feature(
        "CREATE TABLE shop (id INTEGER PRIMARY KEY ON CONFLICT REPLACE,"
        " name TEXT NOT NULL ON CONFLICT IGNORE UNIQUE ON CONFLICT REPLACE,"
        " UNIQUE (name, id) ON CONFLICT IGNORE)",
        probes=(
            "INSERT INTO shop (id, name) VALUES (1, 'new')",
            "INSERT INTO shop (id, name) VALUES (2, NULL)",
            "INSERT INTO shop (id, name) VALUES (2, 'a')",
        ),
    ),
    "conflict_of_a_counted_key": feature(
        "CREATE TABLE shop"
        " (id INTEGER PRIMARY KEY ON CONFLICT IGNORE AUTOINCREMENT, name TEXT)",
        probes=("INSERT INTO shop (id, name) VALUES (1, 'new')",),
    ),
    "unique": feature(
        with_column(
            "name VARCHAR(20) UNIQUE",
            "a INT CONSTRAINT named UNIQUE",
            "[b c] DEFAULT NULL UNIQUE",
            "UNIQUE (a, [b c])",
        ),
        probes=("INSERT INTO shop (name) VALUES ('a')",),
    ),
    "defaults": feature(
        with_column(
            "name TEXT",
            "a TEXT DEFAULT ('it''s' || 'b')",
            "b INT DEFAULT ((1) + (2))",
            "c DEFAULT CURRENT_DATE",
            "d INT DEFAULT -1",
            "e BLOB DEFAULT x'00'",
            "f TEXT DEFAULT ':x 100%'",
            "g DEFAULT NULL",
            "h TEXT DEFAULT (strftime('%Y', 'now'))",
            "i INT DEFAULT ((1)\n + (2))",
            "j INT DEFAULT ((1 + (2)))",
            "k TEXT DEFAULT (\n(lower('A')\n || 'b')\n)",
        ),
        probes=("INSERT INTO shop (name) VALUES ('a')",),
    ),
    "types": feature(
        with_column(
            "name CITEXT",
            "a",
            "b UNSIGNED BIG INT",
            "c NUMERIC(10,2)",
            "d POINT",
            "e TINYINT",
            "f MONEY(1, 2)",
        ),
        probes=("INSERT INTO shop (name, a, b) VALUES ('a', '1', '1')",),
    ),
    "integer_key_that_is_no_rowid": feature(
        "CREATE TABLE shop (id INT PRIMARY KEY, name TEXT)",
        probes=("INSERT INTO shop (id, name) VALUES (NULL, 'x')",),
    ),
    "rowids": feature("CREATE TABLE shop (id TEXT UNIQUE, name TEXT, rowid TEXT)"),
    "comments": feature(
        "CREATE TABLE shop (id INTEGER PRIMARY KEY, -- UNIQUE, (\n name /* ), */ TEXT"
        " CHECK (name <> 'q' /* no */))",
        probes=("INSERT INTO shop (name) VALUES ('q')",),
    ),
}


OTHERS = {"extra", "other"}


def read(file: str | Path | None, probes: tuple[str, ...] = ()) -> dict[str, Any]:
    """What SQLite itself says of everything but the columns ``extra`` and ``other``."""
    assert file is not None

    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys=ON")
        query = connection.execute
        found: dict[str, Any] = {
            table: {
                "strict and without rowid": (wr, strict),
                "columns": columns_of(connection, table),
                "keys": keys_of(connection, table),
                "indexes": sorted(indexes_of(connection, table)),
                "rows": rows_of(connection, table, bool(wr)),
            }
            for _, table, kind, _, wr, strict in query("PRAGMA table_list").fetchall()
            if kind == "table" and not table.startswith(("sqlite_s", "alembic_"))
        }
        found["sql"] = query(
            "SELECT type, name, sql FROM sqlite_master WHERE type <> 'table'"
            " AND name <> 'extra' AND sql IS NOT NULL ORDER BY name"
        ).fetchall()
        found["checks"] = query(
            "SELECT name, upper(sql) FROM sqlite_master WHERE type = 'table'"
        ).fetchall()
        found["checks"] = sorted(
            (name, sql.count("CHECK") - sql.count("CHECK (EXTRA"))
            for name, sql in found["checks"]
        )
        found["outcomes"] = [outcome(connection, probe) for probe in probes]

        if ("sqlite_sequence", 0) in found["checks"]:
            found["sequence"] = sorted(query("SELECT * FROM sqlite_sequence"))

    return found


def columns_of(connection: sqlite3.Connection, table: str) -> list[Any]:
    rows = connection.execute(f"PRAGMA table_xinfo({table})").fetchall()
    return [
        # A primary key is NOT NULL in some forms of the same, and a default can have
        # more parentheses.
        (
            name,
            kind.replace(" ", ""),
            not_null or key,
            re.sub(r"[\s()]", "", str(default)),
            key,
            hidden,
        )
        for _, name, kind, not_null, default, key, hidden in rows
        if name not in OTHERS
    ]


def keys_of(connection: sqlite3.Connection, table: str) -> list[Any]:
    rows = connection.execute(f"PRAGMA foreign_key_list({table})").fetchall()
    # Without a column, the primary key is meant.
    return sorted(
        (row[2:4], row[4] or "id", row[5:]) for row in rows if row[3] not in OTHERS
    )


def indexes_of(connection: sqlite3.Connection, table: str) -> list[Any]:
    indexes = []

    for _, name, *kind in connection.execute(f"PRAGMA index_list({table})").fetchall():
        rows = connection.execute(f"PRAGMA index_xinfo('{name}')").fetchall()
        columns = [row[2:] for row in rows if row[5]]

        if not any(column[0] in OTHERS for column in columns):
            own_name = name if "c" in kind else ""
            indexes.append((own_name, kind, str(columns)))

    return indexes


def rows_of(connection: sqlite3.Connection, table: str, without_ids: bool) -> Any:
    columns = [f'"{column[0]}"' for column in columns_of(connection, table)]
    ids = [] if without_ids else ["oid"]
    query = f"SELECT {', '.join([*ids, *columns])} FROM {table}"
    return sorted(connection.execute(query).fetchall(), key=str)


def outcome(connection: sqlite3.Connection, statement: str) -> Any:
    """What a statement does to a copy."""
    with contextlib.closing(sqlite3.connect(":memory:")) as copy:
        connection.backup(copy)
        copy.execute("PRAGMA foreign_keys=ON")

        try:
            copy.execute("BEGIN")
            copy.execute(statement)
            copy.execute("COMMIT")
        except sqlite3.Error as e:
            return type(e).__name__, copy.in_transaction

        return [rows_of(copy, table, True) for table in ("shop", "item")]


def run(*statements: str) -> str:
    """The code of a revision that executes statements as they are."""
    return "\n".join(f"op.get_bind().exec_driver_sql({s!r})" for s in statements)


def batch(*operations: str, **options: Any) -> str:
    """The code of a revision that changes ``shop`` in a batch."""
    arguments = "".join(f", {name}={value!r}" for name, value in options.items())
    body = "\n".join(f"    batch.{operation}" for operation in operations)
    return f"with op.batch_alter_table('shop'{arguments}) as batch:\n{body}"


ADD = batch("add_column(sa.Column('extra', sa.Integer))", recreate="always")
DROP = batch("drop_column('extra')", recreate="always")


@on_sqlite
@awaited_only
@pytest.mark.parametrize("name", FEATURES)
def test_a_batch_change_keeps(name: str, enforcing: Twin) -> None:
    """Up and down again, with foreign keys enforced."""
    found, file = FEATURES[name], enforcing.engine.url.database
    enforcing.revision("a1", None, run(*found.ddl))
    enforcing.revision("a2", "a1", ADD, downgrade=DROP)
    enforcing.upgrade("a1")
    before = read(file, found.probes)
    enforcing.upgrade()
    assert read(file, found.probes) == before
    enforcing.downgrade(-1)
    assert read(file, found.probes) == before


@on_sqlite
@awaited_only
@pytest.mark.parametrize(
    ("ddl", "change", "sentence"),
    [
        (
            "CREATE VIEW v AS SELECT name FROM shop",
            "drop_column('name')",
            "would break the view 'v': no such column: name. In the revision, drop the"
            " view 'v' before the batch and recreate the view 'v' after it.",
        ),
        (
            "CREATE TRIGGER t AFTER UPDATE OF name ON shop BEGIN SELECT 1; END",
            "drop_column('name')",
            "would break the trigger 't': it names column 'name'",
        ),
        (
            "CREATE TRIGGER t AFTER INSERT ON item BEGIN UPDATE shop SET name = 1; END",
            "alter_column('name', new_column_name='title')",
            "would break the triggers of 'item': no such column: name",
        ),
        (
            "CREATE TRIGGER t BEFORE DELETE ON shop BEGIN SELECT old.name; END",
            "alter_column('name', new_column_name='title')",
            "would break the triggers of 'shop': no such column: old.name",
        ),
    ],
)
def test_a_batch_change_refuses_to_break(
    ddl: str, change: str, sentence: str, enforcing: Twin
) -> None:
    """It says what, and leaves the file as it was."""
    first = run(*feature(SHOP, ddl).ddl)
    enforcing.history(first)
    enforcing.upgrade()
    before = enforcing.dump()
    enforcing.history(first, batch(change))

    with pytest.raises(MigrationError) as e:
        enforcing.upgrade()

    assert f"The batch change of table 'shop' {sentence}" in str(e.value)
    assert isinstance(e.value.__cause__, BatchError)
    assert e.value.__cause__.table == "shop"
    assert enforcing.dump() == before


class Shop:
    """A table that is changed without a revision.

    :param ddl: Makes what there is.
    """

    def __init__(self, root: Path, *ddl: str) -> None:
        self.file = root / "shop.db"
        self.app = make_app("flask", root)
        self.engine = sa.create_engine(f"sqlite:///{self.file}")
        sa.event.listen(self.engine, "connect", enforce_foreign_keys)
        self.alembic = SyncAlembic(
            self.app, metadatas=sa.MetaData(), engines=lambda: self.engine
        )

        self.execute(*ddl)

    def execute(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def change(self, code: str) -> None:
        self.alembic.run(lambda env: exec(code, {"op": env.op, "sa": sa}))

    def sql(self, name: str) -> str:
        with self.engine.connect() as connection:
            query = "SELECT sql FROM sqlite_master WHERE name = ?"
            found = connection.exec_driver_sql(query, (name,)).scalar()

        return " ".join((found or "").split())

    def query(self, statement: str) -> list[Any]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]


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


#: Types, and a value of each that a STRICT table takes as well.
TYPES = {"INTEGER": 1, "TEXT": "'a'", "ANY": 2}
LOOSE = {"": 1, "VARCHAR(20)": "'b'", "CITEXT": "'c'", "BIG INT": 1, "NUMERIC(9,2)": 1}
CLAUSES = [
    *("COLLATE NOCASE", "UNIQUE", "CHECK ({c} <> '50:%')", "DEFAULT (1 + (2))"),
    *("NOT NULL", "NOT NULL ON CONFLICT REPLACE DEFAULT 1", "DEFAULT 'x'"),
    *("CONSTRAINT {c}k REFERENCES item ON DELETE SET NULL DEFERRABLE", "/* , ) */"),
    *("UNIQUE ON CONFLICT IGNORE", "CONSTRAINT {c}c CHECK (({c}) IS NOT 'y')"),
]
CONSTRAINTS = [
    *("UNIQUE (a, b)", "CHECK (a <> 'z' OR b <> 'z')", "CONSTRAINT n CHECK (b <> 'n')"),
    *("FOREIGN KEY (a) REFERENCES shop (b) ON UPDATE CASCADE", "CHECK (shop.a IS b)"),
    *("UNIQUE (a) ON CONFLICT REPLACE", "CONSTRAINT u UNIQUE (b, a)"),
]
OBJECTS = [
    "CREATE INDEX i ON shop (lower(a), b)",
    "CREATE INDEX j ON shop (b DESC, a COLLATE RTRIM)",
    "CREATE UNIQUE INDEX k ON shop (b, id) WHERE a <> ':q'",
    "CREATE TRIGGER t AFTER UPDATE OF b ON shop BEGIN DELETE FROM item; END",
    "CREATE TRIGGER u AFTER DELETE ON item BEGIN UPDATE shop SET b = 1; END",
    "CREATE VIEW v AS SELECT a, b FROM shop",
]
CHANGES = [
    "alter_column('extra', nullable=False, existing_type=sa.Integer)",
    "alter_column('extra', type_=sa.Text)",
    "alter_column('extra', new_column_name='other')",
    "alter_column('extra', server_default='7')",
    "drop_column('extra')",
    "add_column(sa.Column('other', sa.Integer))",
    "create_unique_constraint('extra', ['extra'])",
    "create_check_constraint('extra', 'extra < 9')",
    "create_foreign_key('extra', 'tag', ['extra'], ['id'])",
    "create_index('extra', ['extra'])",
]


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, ...]:
    """Statements that make a table ``shop`` with some of all that there is."""
    is_strict = draw(st.booleans())
    types = TYPES if is_strict else TYPES | LOOSE
    key = draw(st.sampled_from(["INTEGER PRIMARY KEY", "INT PRIMARY KEY"]))
    options = ["STRICT"] if is_strict else []

    if draw(st.booleans()):
        options.append("WITHOUT ROWID")
    elif key.startswith("INTEGER") and draw(st.booleans()):
        key += " AUTOINCREMENT"

    columns, values = [f"id {key}"], ["5"]

    for name in "ab":
        kind = draw(st.sampled_from(sorted(types)))
        clauses = draw(st.lists(st.sampled_from(CLAUSES), max_size=3, unique=True))
        text = " ".join(clause.format(c=name) for clause in clauses)
        columns.append(f"{name} {kind} {text}")
        values.append(str(types[kind]))

    if draw(st.booleans()):
        columns.append("g TEXT AS (a || b) STORED")

    own = draw(st.lists(st.sampled_from(CONSTRAINTS), max_size=3, unique=True))
    objects = draw(st.lists(st.sampled_from(OBJECTS), max_size=3, unique=True))
    body = ", ".join([*columns, "extra INTEGER", *own])
    return (
        "CREATE TABLE tag (id INTEGER PRIMARY KEY)",
        "INSERT INTO tag VALUES (1)",
        f"CREATE TABLE shop ({body}) {', '.join(options).lower()}",
        "CREATE TABLE item (id INTEGER PRIMARY KEY, shop_id INT REFERENCES shop (id)"
        " ON DELETE CASCADE)",
        f"INSERT OR IGNORE INTO shop (id, a, b, extra) VALUES ({', '.join(values)}, 1)",
        "INSERT INTO item VALUES (1, (SELECT id FROM shop)), (2, NULL)",
        *objects,
    )


PROBES = (
    *("UPDATE shop SET a = 'z', b = 'z'", "UPDATE shop SET b = 'n'"),
    *("UPDATE shop SET a = '50:%'", "UPDATE shop SET a = NULL", "DELETE FROM shop"),
    *("UPDATE shop SET b = 'y'", "DELETE FROM item", "DELETE FROM shop WHERE a = 'A'"),
)


# The same ones each time; with another seed and more of them, more is found.
@settings(deadline=None, max_examples=60, derandomize=True)
@given(ddl=tables(), change=st.sampled_from(CHANGES), always=st.booleans())
def test_nothing_changes_but_what_was_to(
    ddl: tuple[str, ...], change: str, always: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        made = Shop(Path(folder))
        stack.callback(made.engine.dispose)

        try:
            made.execute(*ddl)
        except sa.exc.DBAPIError:
            # No table that there can be.
            reject()

        before = read(made.file, PROBES)
        made.change(batch(change, recreate="always" if always else "auto"))
        assert read(made.file, PROBES) == before


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
