"""A batch change edits the statement that SQLite keeps, and nothing else of it."""

from __future__ import annotations

import pytest

from ...harness import awaited_only
from ...twins import on_sqlite
from ...twins import Twin
from .edits import ADD
from .edits import change
from .edits import drop
from .edits import NOTHING
from .edits import RENAME
from .edits import shop
from .shops import batch

EDITS = {
    # A word that is the name of something else than the column.
    "function": (
        shop("id", "date", "b CHECK (date(b) > 1)", "CHECK (date(b) IS NOT 'x')"),
        drop("date"),
        shop("id", "b CHECK (date(b) > 1)", "CHECK (date(b) IS NOT 'x')"),
    ),
    "collation": (
        shop(
            "a", "nocase", "UNIQUE (a COLLATE nocase)", "CHECK (a = 1 COLLATE NOCASE)"
        ),
        drop("nocase"),
        shop("a", "UNIQUE (a COLLATE nocase)", "CHECK (a = 1 COLLATE NOCASE)"),
    ),
    "type": (
        shop("a CHECK (CAST(a AS real) > 0)", "real REAL"),
        drop("real"),
        shop("a CHECK (CAST(a AS real) > 0)"),
    ),
    "operator": (
        shop("a", '"like"', "CHECK (a LIKE 'x')", "CHECK (a NOT LIKE 'y')"),
        drop("like"),
        shop("a", "CHECK (a LIKE 'x')", "CHECK (a NOT LIKE 'y')"),
    ),
    "constraint": (
        shop("a", "b", "CONSTRAINT b CHECK (a > 0)"),
        drop("b"),
        shop("a", "CONSTRAINT b CHECK (a > 0)"),
    ),
    "table": (
        shop("a", "shop", "CHECK (shop.a > 0)"),
        drop("shop"),
        shop("a", "CHECK (a > 0)"),
    ),
    "parent": (
        shop("a REFERENCES item", "item", "FOREIGN KEY (a) REFERENCES item (item)"),
        drop("item"),
        shop("a REFERENCES item", "FOREIGN KEY (a) REFERENCES item (item)"),
    ),
    "string": (
        shop("a", "b CHECK (b <> 'a' AND b <> 'x''a')", "c DEFAULT 'a'"),
        RENAME,
        shop('"z"', "b CHECK (b <> 'a' AND b <> 'x''a')", "c DEFAULT 'a'"),
    ),
    "string_in_double_quotes": (
        shop("a", 'b CHECK (b <> "no column")', 'c DEFAULT "a"', "CHECK (a <> b)"),
        RENAME,
        shop('"z"', 'b CHECK (b <> "no column")', 'c DEFAULT "a"', 'CHECK ("z" <> b)'),
    ),
    "renamed_to_a_function": (
        shop("a", "b CHECK (lower(a) <> b)", "lower CHECK (lower(lower) = lower)"),
        batch(
            "alter_column('a', new_column_name='lower')",
            "alter_column('lower', new_column_name='a')",
        ),
        shop(
            '"lower"',
            'b CHECK (lower("lower") <> b)',
            '"a" CHECK (lower("a") = "a")',
        ),
    ),
    "letters_that_sqlite_tells_apart": (
        shop("é", "É CHECK (É > 0)", "CHECK (É <> 5)"),
        drop("é"),
        shop("É CHECK (É > 0)", "CHECK (É <> 5)"),
    ),
    "letters_that_sqlite_does_not_tell_apart": (
        shop("a", "B", "UNIQUE (b)", "CHECK (b > 0)", "UNIQUE (A)"),
        drop("B"),
        shop("a", "UNIQUE (A)"),
    ),
    # What SQLAlchemy does not reflect.
    "unique_with_order_and_collation": (
        shop("a", "b", "CONSTRAINT u UNIQUE (a COLLATE NOCASE DESC, b DESC)"),
        ADD,
        shop("a", "b", "x TEXT", "CONSTRAINT u UNIQUE (a COLLATE NOCASE DESC, b DESC)"),
    ),
    "backslash": (
        shop("a DEFAULT 'C\\:x'", "b DEFAULT '\\' CHECK (b <> '\\:b')"),
        ADD,
        shop("a DEFAULT 'C\\:x'", "b DEFAULT '\\' CHECK (b <> '\\:b')", "x TEXT"),
    ),
    "default_in_double_quotes": (
        shop('a DEFAULT "dq"', "b DEFAULT TRUE", "c DEFAULT -1.5e-3"),
        ADD,
        shop('a DEFAULT "dq"', "b DEFAULT TRUE", "c DEFAULT -1.5e-3", "x TEXT"),
    ),
    "counter_in_the_constraint": (
        shop("id INTEGER", "PRIMARY KEY (id AUTOINCREMENT)"),
        ADD,
        shop("id INTEGER", "x TEXT", "PRIMARY KEY (id AUTOINCREMENT)"),
    ),
    "constraints_without_a_comma": (
        shop("a", "b", "CHECK (a > 0) CONSTRAINT u UNIQUE (b) CHECK (b > 0)"),
        drop("b"),
        shop("a", "CHECK (a > 0)"),
    ),
    "other_quotes": (
        "CREATE TABLE 'shop' ('a' TEXT, [b c] \"my type\", `d``e` CHECK (`d``e` > 0))",
        batch("drop_column('b c')", "alter_column('d`e', new_column_name='f\"g')"),
        'CREATE TABLE shop (\'a\' TEXT, "f""g" CHECK ("f""g" > 0))',
    ),
    # Comments.
    "comment_at_the_end_of_a_check": (
        shop("a", "b AS (a * 2 -- twice\n) STORED", "CHECK (a > 0 -- positive\n)"),
        ADD,
        shop(
            "a",
            "b AS (a * 2 -- twice\n) STORED",
            "x TEXT",
            "CHECK (a > 0 -- positive\n)",
        ),
    ),
    "comments_of_columns": (
        "CREATE TABLE shop (\n"
        "  a INT, -- the a, which\n"
        "  b TEXT /* ), */ NOT NULL, /* the b */\n"
        "  c /* the c */ INT -- last\n"
        "  -- end\n"
        ")",
        batch(
            "drop_column('b')",
            "add_column(sa.Column('x', sa.Text))",
            "alter_column('a', nullable=False)",
        ),
        "CREATE TABLE shop (\n"
        "  a INT NOT NULL, -- the a, which\n"
        "  c /* the c */ INT, -- last\n"
        "  x TEXT\n"
        "  -- end\n"
        ")",
    ),
    "comment_of_the_last_column": (
        "CREATE TABLE shop (a INT, -- the a\n b INT -- the b\n)",
        drop("b"),
        "CREATE TABLE shop (a INT -- the a\n)",
    ),
    "comment_before_a_comma": (
        "CREATE TABLE shop (a INT -- the a\n , b INT -- the b\n , c)",
        drop("b", "c"),
        "CREATE TABLE shop (a INT -- the a\n )",
    ),
    # Types and their constraints.
    "check_with_a_name": (
        shop("a INT", "CONSTRAINT c CHECK (a IN (1, 2))"),
        batch("alter_column('a', type_=sa.BigInteger)"),
        shop("a BIGINT", "CONSTRAINT c CHECK (a IN (1, 2))"),
    ),
    "check_of_more_than_a_type": (
        shop("a INT CHECK (a IN (1, 2))", "CHECK (a IN (1) OR a = 3)", "CHECK (a > 0)"),
        batch("alter_column('a', type_=sa.BigInteger)"),
        shop("a BIGINT", "CHECK (a IN (1) OR a = 3)", "CHECK (a > 0)"),
    ),
    "check_of_an_enum_that_is_renamed": (
        shop("a VARCHAR(1)", "CONSTRAINT mood CHECK (a IN ('x', 'y'))"),
        batch(
            "alter_column('a', new_column_name='z',"
            " existing_type=sa.Enum('x', 'y', name='mood'))"
        ),
        shop('"z" VARCHAR(1)', "CONSTRAINT mood CHECK (\"z\" IN ('x', 'y'))"),
    ),
    "check_of_an_enum_that_goes": (
        shop("a VARCHAR(1)", "CONSTRAINT mood CHECK (a IN ('x', 'y'))"),
        batch(
            "alter_column('a', type_=sa.Text, existing_type="
            "sa.Enum('x', 'y', name='mood', create_constraint=True))"
        ),
        shop("a TEXT"),
    ),
    "check_of_an_enum_that_is_new": (
        shop("a VARCHAR(1)", "CONSTRAINT mood CHECK (a IN ('x', 'y'))"),
        batch(
            "alter_column('a', new_column_name='z',"
            " type_=sa.Enum('x', 'yy', name='mood', create_constraint=True),"
            " existing_type=sa.Enum('x', 'y', name='mood', create_constraint=True))"
        ),
        shop('"z" VARCHAR(2)', "CONSTRAINT mood CHECK (z IN ('x', 'yy'))"),
    ),
    "clauses_of_a_column": (
        shop(
            "a INT NULL DEFAULT (1 + (2)) COLLATE rtrim CONSTRAINT n NOT NULL ON"
            " CONFLICT IGNORE CHECK(a > 0)UNIQUE"
        ),
        batch(
            "alter_column('a', nullable=True, server_default=sa.text('now'))",
            "alter_column('a', type_=sa.String(5, collation='NOCASE'))",
        ),
        shop('a VARCHAR(5) DEFAULT now COLLATE "NOCASE" CHECK(a > 0)UNIQUE'),
    ),
    "name_in_other_letters": (
        'CREATE TABLE "SHOP" (A, B)',
        batch("drop_column('a')", "alter_column('b', nullable=False)"),
        'CREATE TABLE "SHOP" (B NOT NULL)',
    ),
    "added_and_dropped": (
        shop("a"),
        batch(
            "add_column(sa.Column('x', sa.Boolean(create_constraint=True, name='c')))",
            "drop_column('x')",
        ),
        shop("a"),
    ),
    "no_spaces": (
        'CREATE TABLE shop(a"my type"UNIQUE,[b]CHECK(b>0)UNIQUE,c CHAR(5)NOT NULL)',
        batch(
            "alter_column('a', new_column_name='z', nullable=False)",
            "alter_column('b', nullable=False, type_=sa.Integer)",
            "alter_column('c', nullable=True, type_=sa.Text)",
        ),
        'CREATE TABLE shop("z" "my type" NOT NULL UNIQUE,[b] INTEGER NOT NULL'
        " CHECK(b>0)UNIQUE,c TEXT)",
    ),
    "default_that_goes": (
        shop("a DEFAULT 'x' NOT NULL", "b DEFAULT NULL", "c DEFAULT(1)CHECK (c > 0)"),
        batch(*(f"alter_column({c!r}, server_default=None)" for c in "abc")),
        shop("a NOT NULL", "b", "c CHECK (c > 0)"),
    ),
    # Other operations.
    "order": (
        shop("a", "b", "c", "UNIQUE (c)"),
        batch(
            "add_column(sa.Column('x', sa.Text), insert_before='a')",
            "add_column(sa.Column('y', sa.Text), insert_after='x')",
            "add_column(sa.Column('z', sa.Text), insert_after='b')",
            "add_column(sa.Column('last', sa.Text))",
            recreate="always",
        ),
        shop("x TEXT", "y TEXT", "a", "b", "z TEXT", "c", "last TEXT", "UNIQUE (c)"),
    ),
    "order_of_several_beside_the_same": (
        shop("a", "b"),
        batch(
            "add_column(sa.Column('x', sa.Text), insert_after='a')",
            "add_column(sa.Column('y', sa.Text), insert_after='a')",
            "add_column(sa.Column('z', sa.Text), insert_after='b')",
            recreate="always",
        ),
        shop("a", "x TEXT", "y TEXT", "b", "z TEXT"),
    ),
    "partial_reordering": (
        shop("a", "b", "c", "d"),
        batch(
            "drop_column('b')",
            "alter_column('c', new_column_name='z')",
            partial_reordering=[("d", "c", "a")],
        ),
        shop("d", '"z"', "a"),
    ),
    "column_that_is_replaced": (
        shop("a BOOLEAN", "b", "CHECK (a IN (0, 1))", "CHECK (a < b)", "UNIQUE (a)"),
        batch("drop_column('a')", "add_column(sa.Column('a', sa.Text))"),
        shop("b", "a TEXT", "CHECK (a < b)", "UNIQUE (a)"),
    ),
    "column_that_is_the_only_one": (
        shop("a INT"),
        batch("drop_column('a')", "add_column(sa.Column('a', sa.Text))"),
        shop(" a TEXT"),
    ),
    "column_that_is_added_and_altered": (
        shop("a"),
        batch(
            "add_column(sa.Column('x', sa.Text))",
            "add_column(sa.Column('y', sa.Text))",
            "alter_column('x', type_=sa.Integer, nullable=False, server_default='0')",
            "drop_column('y')",
            "create_unique_constraint('u', ['x'])",
        ),
        shop("a", "x INTEGER DEFAULT '0' NOT NULL", "CONSTRAINT u UNIQUE (x)"),
    ),
    "column_that_is_added_and_renamed": (
        shop("a"),
        batch(
            "add_column(sa.Column('x', sa.Text, unique=True))",
            "create_unique_constraint('u', ['x', 'a'])",
            "alter_column('x', new_column_name='y', nullable=False)",
        ),
        shop("a", "y TEXT NOT NULL", "UNIQUE (y)", "CONSTRAINT u UNIQUE (y, a)"),
    ),
    "column_that_is_altered_and_dropped": (
        shop("a", "b", "c"),
        batch(
            "alter_column('b', new_column_name='z', nullable=False)",
            "add_column(sa.Column('X', sa.Text))",
            "alter_column('X', nullable=False)",
            "drop_column('b')",
            "drop_column('x')",
        ),
        shop("a", "c"),
    ),
    "foreign_keys_in_a_schema": (
        shop("a UNIQUE"),
        batch(
            "create_foreign_key('f', 'item', ['a'], ['id'])",
            "create_foreign_key('g', 'shop', ['a'], ['a'], referent_schema='main')",
            schema="main",
        ),
        shop(
            "a UNIQUE",
            "CONSTRAINT f FOREIGN KEY(a) REFERENCES item (id)",
            "CONSTRAINT g FOREIGN KEY(a) REFERENCES shop (a)",
        ),
    ),
    "constraint_on_a_renamed_column": (
        shop("a"),
        batch(
            "alter_column('a', new_column_name='z')",
            "create_unique_constraint('u', ['a'])",
            "create_unique_constraint('v', ['z'])",
        ),
        shop('"z"', "CONSTRAINT u UNIQUE (z)", "CONSTRAINT v UNIQUE (z)"),
    ),
    "constraint_of_the_same_name": (
        shop("a", "b", "CONSTRAINT u UNIQUE (a)"),
        batch("create_unique_constraint('u', ['b'])"),
        shop("a", "b", "CONSTRAINT u UNIQUE (b)"),
    ),
    "constraints_in_columns": (
        shop("a CONSTRAINT n NOT NULL CONSTRAINT u UNIQUE CONSTRAINT c CHECK (a > 0)"),
        batch("drop_constraint('u')", "drop_constraint('n')"),
        shop("a CONSTRAINT c CHECK (a > 0)"),
    ),
    "constraints_without_a_name": (
        shop("a UNIQUE REFERENCES item", "b", "UNIQUE (a, b)"),
        batch("drop_constraint('uq_shop_a')", "drop_constraint('fk_shop_a_item')"),
        shop("a", "b", "UNIQUE (a, b)"),
    ),
    "constraints_without_a_name_on_an_odd_table": (
        shop('a REFERENCES "my.item" (id)', "b REFERENCES item (id)"),
        batch("drop_constraint('fk_shop_a_my.item')"),
        shop("a", "b REFERENCES item (id)"),
    ),
    "naming_convention_with_the_referred_column": (
        shop("a REFERENCES item (x)", "b", "FOREIGN KEY (b, a) REFERENCES item (y, x)"),
        batch(
            "drop_constraint('fk-x')",
            "drop_constraint('fk-y')",
            naming_convention={"fk": "fk-%(referred_column_0_name)s"},
        ),
        shop("a", "b"),
    ),
    "naming_convention": (
        shop("a UNIQUE", "b PRIMARY KEY"),
        batch(
            "drop_constraint('UQ-a')",
            "drop_constraint('PK-shop')",
            naming_convention={"uq": "UQ-%(column_0_name)s", "pk": "PK-%(table_name)s"},
        ),
        shop("a", "b"),
    ),
    "primary_key_that_is_new": (
        shop("id INTEGER PRIMARY KEY AUTOINCREMENT", "a INT"),
        batch("create_primary_key('pk', ['a'])"),
        shop("id INTEGER", "a INT", "CONSTRAINT pk PRIMARY KEY (a)"),
    ),
    "primary_key_where_there_was_none": (
        shop("a INT", "b INT"),
        batch(
            "add_column(sa.Column('id', sa.Integer, primary_key=True))",
            recreate="always",
        ),
        shop("a INT", "b INT", "id INTEGER NOT NULL", "PRIMARY KEY (id)"),
    ),
    "primary_key_of_two_that_are_added": (
        shop("a"),
        batch(
            "add_column(sa.Column('x', sa.Text, primary_key=True))",
            "add_column(sa.Column('y', sa.Text, primary_key=True))",
            recreate="always",
        ),
        shop("a", "x TEXT NOT NULL", "y TEXT NOT NULL", 'PRIMARY KEY ("x", "y")'),
    ),
    "primary_key_that_grows": (
        shop("id INTEGER PRIMARY KEY", "a"),
        batch(
            "add_column(sa.Column('x', sa.Text, primary_key=True))", recreate="always"
        ),
        shop("id INTEGER", "a", "x TEXT NOT NULL", 'PRIMARY KEY ("id", "x")'),
    ),
    "primary_key_of_two_columns": (
        shop("a INT", "b INT", "c INT", "PRIMARY KEY (a DESC, b, c COLLATE nocase)"),
        drop("b"),
        shop("a INT", "c INT", "PRIMARY KEY (a DESC, c COLLATE nocase)"),
    ),
    "counter_of_another_type": (
        shop("id INTEGER PRIMARY KEY AUTOINCREMENT", "a"),
        batch("alter_column('id', type_=sa.BigInteger)"),
        shop("id BIGINT PRIMARY KEY", "a"),
    ),
    "table_args": (
        shop("a CHECK (a > 0)", "CHECK (a < 9)", "CONSTRAINT c CHECK (a <> 5)"),
        "check = sa.CheckConstraint('a < 99')\n"
        "unique = sa.UniqueConstraint('a', name='u')\n"
        "with op.batch_alter_table('shop', recreate='always',"
        " table_args=(check, unique)) as batch:\n    pass",
        shop(
            "a",
            "CONSTRAINT c CHECK (a <> 5)",
            "CHECK (a < 99)",
            "CONSTRAINT u UNIQUE (a)",
        ),
    ),
    "table_args_by_an_old_name": (
        shop("Aa"),
        "unique = sa.UniqueConstraint('Aa', name='u')\n"
        "with op.batch_alter_table('shop', table_args=[unique]) as batch:\n"
        "    batch.alter_column('Aa', new_column_name='z')",
        shop('"z"', "CONSTRAINT u UNIQUE (z)"),
    ),
    "table_kwargs": (
        shop("id INTEGER PRIMARY KEY", "a TEXT"),
        batch(
            recreate="always",
            table_kwargs={"sqlite_autoincrement": True},
        )
        + NOTHING,
        shop("id INTEGER PRIMARY KEY AUTOINCREMENT", "a TEXT"),
    ),
    "table_kwargs_for_a_key_that_is_not_there": (
        shop("a"),
        batch(recreate="always", table_kwargs={"sqlite_autoincrement": True}) + NOTHING,
        shop("a"),
    ),
    "table_kwargs_of_options": (
        shop("id INTEGER PRIMARY KEY", "a TEXT") + " WITHOUT ROWID",
        batch(recreate="always", table_kwargs={"sqlite_with_rowid": True}) + NOTHING,
        shop("id INTEGER PRIMARY KEY", "a TEXT"),
    ),
    "reflect_args": (
        shop("a INT NOT NULL UNIQUE", "b"),
        "column = sa.Column('a', sa.Boolean(create_constraint=True, name='c'))\n"
        "with op.batch_alter_table('shop', recreate='always',"
        " reflect_args=[column]) as batch:\n    pass",
        shop("a BOOLEAN UNIQUE", "b", "CONSTRAINT c CHECK (a IN (0, 1))"),
    ),
    "reflect_args_of_a_type_that_goes": (
        shop("a", "b", "c"),
        "kind = sa.Boolean(create_constraint=True)\n"
        "columns = [sa.Column('a', kind), sa.Column('b', kind)]\n"
        "with op.batch_alter_table('shop', reflect_args=columns) as batch:\n"
        "    batch.alter_column('a', type_=sa.Text)\n"
        "    batch.drop_column('b')",
        shop("a TEXT", "c"),
    ),
    "computed_column": (
        shop("a INT", "b AS (a + 1)"),
        batch(
            "add_column(sa.Column('x', sa.Integer, sa.Computed('a * 2')))",
            recreate="always",
        ),
        shop("a INT", "b AS (a + 1)", "x INTEGER GENERATED ALWAYS AS (a * 2)"),
    ),
}


@on_sqlite
@awaited_only
@pytest.mark.parametrize("name", EDITS)
def test_nothing_is_edited_but_what_was_to(name: str, enforcing: Twin) -> None:
    ddl, code, expected = EDITS[name]
    assert [*change(enforcing, (ddl,), code).values()] == [expected]
