"""A batch change on SQLite edits the statement that SQLite keeps, and nothing else in
it.
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import Any

import pytest

from async_alembic import MigrationError
from async_alembic.dialects.sqlite.create_table import CreateTable
from async_alembic.dialects.sqlite.tokens import NotUnderstoodError
from async_alembic.errors import BatchError

from .apps import awaited_only
from .test_batch import batch
from .test_batch import run
from .twins import on_sqlite
from .twins import Twin


def statements(twin: Twin) -> dict[str, str]:
    """What SQLite keeps, but the name of the table, which it quotes when it renames."""
    query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
    file = twin.engine.url.database
    assert file is not None

    with contextlib.closing(sqlite3.connect(file)) as connection:
        found = dict(connection.execute(query).fetchall())

    for name in ("alembic_version", "sqlite_sequence"):
        found.pop(name, None)

    return {name: sql.replace('"shop"', "shop", 1) for name, sql in found.items()}


def change(twin: Twin, ddl: tuple[str, ...], *changes: str) -> dict[str, str]:
    """Change the table in a revision of its own, and return all statements."""
    twin.history(run(*ddl), "\n".join(changes))
    twin.upgrade()
    return statements(twin)


def refuse(twin: Twin, ddl: tuple[str, ...], *changes: str) -> BatchError:
    """Try to change the table, and return the error."""
    twin.history(run(*ddl))
    twin.upgrade()
    before = twin.dump()
    twin.history(run(*ddl), "\n".join(changes))

    with pytest.raises(MigrationError) as e:
        twin.upgrade()

    assert twin.dump() == before
    assert isinstance(e.value.__cause__, BatchError)
    return e.value.__cause__


def shop(*items: str) -> str:
    return f"CREATE TABLE shop ({', '.join(items)})"


def drop(*columns: str, **options: Any) -> str:
    return batch(*(f"drop_column({c!r})" for c in columns), **options)


ADD = batch("add_column(sa.Column('x', sa.Text))", recreate="always")
RENAME = batch("alter_column('a', new_column_name='z')")

BESIDE = "add_column(sa.Column('x', sa.Text), insert_after='b')"
NOTHING = "    pass"

#: The statement of the table, a change, and what is to come of it.
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
    "table_kwargs": (
        shop("id INTEGER PRIMARY KEY", "a TEXT"),
        batch(
            recreate="always",
            table_kwargs={"sqlite_autoincrement": True},
        )
        + NOTHING,
        shop("id INTEGER PRIMARY KEY AUTOINCREMENT", "a TEXT"),
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


@on_sqlite
@awaited_only
def test_an_index_goes_with_the_columns_that_it_is_of(enforcing: Twin) -> None:
    """Not with those that are called like a function or a collation in it."""
    kept = (
        "CREATE INDEX a ON shop (date(b))",
        "CREATE INDEX c ON shop (b COLLATE nocase) WHERE b <> 'date'",
    )
    gone = (
        "CREATE INDEX d ON shop (b) WHERE date > 1",
        "CREATE INDEX e ON shop (lower(nocase))",
    )
    table = shop("a", "b", "date", "nocase")
    found = change(enforcing, (table, *kept, *gone), drop("date", "nocase"))
    assert [*found.values()] == [shop("a", "b"), *kept]


@on_sqlite
@awaited_only
def test_indexes_are_dropped_and_created(enforcing: Twin) -> None:
    """By the old names of columns or the new ones, and of expressions as well."""
    found = change(
        enforcing,
        (shop("a", "b"), "CREATE INDEX i ON shop (lower(a))"),
        batch(
            "alter_column('a', new_column_name='z')",
            "drop_index('i')",
            "drop_index('no_index', if_exists=True)",
            "create_index('i', ['a'])",
            "create_index('j', ['z', sa.text('lower(b)')], unique=True)",
        ),
    )
    assert found["i"] == "CREATE INDEX i ON shop (z)"
    assert found["j"] == "CREATE UNIQUE INDEX j ON shop (z, lower(b))"


@on_sqlite
@awaited_only
@pytest.mark.parametrize(
    ("items", "code", "sentence"),
    [
        (
            ("a", "b", "CONSTRAINT c CHECK (a > 0 AND b > 0)"),
            drop("a"),
            "would break the CHECK constraint 'c': it names column 'a', and also 'b'."
            " Drop the constraint in the same batch.",
        ),
        (
            ("a", "b", "CHECK (a > 0 -- positive\n AND b > 0)"),
            drop("a"),
            "would break the CHECK constraint 'a > 0 -- positive AND b > 0': it names"
            " column 'a', and also 'b'. Give the batch those without a name that are to"
            " stay as table_args, which leaves out this one.",
        ),
        (
            ("a", "b CONSTRAINT c CHECK (b > a)"),
            drop("a"),
            "would break the CHECK constraint 'c': it names column 'a', and also 'b'.",
        ),
        (
            ("a", "b AS (a + 1) STORED"),
            drop("a"),
            "would break the column 'b': it names column 'a'. Drop that in the same"
            " batch.",
        ),
        (
            ("a INTEGER PRIMARY KEY",),
            batch("alter_column('b', nullable=False)"),
            "is not possible: it has no column 'b'. Correct the revision.",
        ),
        (
            ("a",),
            batch(
                "add_column(sa.Column('x', sa.Text), insert_after='b')",
                recreate="always",
            ),
            "is not possible: it has no column 'b'. Correct the revision.",
        ),
        (
            ("a",),
            batch(recreate="always", reflect_kwargs={"resolve_fks": False}) + NOTHING,
            "is not possible: SQLite's own statement is edited, without reflect_kwargs."
            " Use reflect_args, or copy_from.",
        ),
        (
            ("a",),
            batch("impl.rename_table('shop', 'x')"),
            "is not possible: Alembic renames no table in one. Use op.rename_table().",
        ),
        (
            ("a",),
            "with op.batch_alter_table('shop', recreate='always',"
            " table_args=[sa.Column('x', sa.Text)]) as batch:\n    pass",
            "is not possible: SQLite's own statement is edited, without columns in"
            " table_args. Use add_column().",
        ),
    ],
)
def test_a_change_is_refused(
    items: tuple[str, ...], code: str, sentence: str, enforcing: Twin
) -> None:
    assert sentence in str(refuse(enforcing, (shop(*items),), code))


@on_sqlite
@awaited_only
def test_what_is_refused_can_be_done_as_the_error_says(enforcing: Twin) -> None:
    table = shop("a", "b", "d AS (a)", "CONSTRAINT c CHECK (a > b)", "CHECK (a <> b)")
    code = (
        "with op.batch_alter_table('shop',"
        " table_args=[sa.CheckConstraint('b > 0')]) as batch:\n"
        "    batch.drop_constraint('c')\n"
        "    batch.drop_column('d')\n"
        "    batch.drop_column('a')"
    )
    expected = shop("b", "CHECK (b > 0)")
    assert change(enforcing, (table,), code) == {"shop": expected}


@on_sqlite
@awaited_only
@pytest.mark.parametrize(
    "code",
    [batch("drop_constraint('no')"), batch("drop_index('no')", recreate="always")],
)
def test_what_is_not_there_is_not_dropped(code: str, enforcing: Twin) -> None:
    enforcing.history(run(shop("a")), code)

    with pytest.raises(MigrationError, match="No such (constraint|index): 'no'"):
        enforcing.upgrade()


@on_sqlite
@awaited_only
def test_a_statement_that_is_not_understood_is_refused(
    enforcing: Twin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite can learn new ones at any time."""

    def parse(sql: str) -> CreateTable:
        raise NotUnderstoodError("a INT FANCY")

    monkeypatch.setattr(CreateTable, "parse", parse)
    assert str(refuse(enforcing, (shop("a"),), ADD)) == (
        "The batch change of table 'shop' is not possible: 'a INT FANCY' is not"
        " understood. Create the new table and copy the rows with op.execute()."
    )


@on_sqlite
@awaited_only
def test_a_trigger_on_a_table_named_like_the_column_is_kept(enforcing: Twin) -> None:
    triggers = (
        "CREATE TRIGGER b AFTER UPDATE OF a ON shop WHEN new.a <> 'b'"
        " BEGIN SELECT 1 AS b; END",
        "CREATE TRIGGER begin AFTER INSERT ON shop BEGIN UPDATE of SET b = 1; END",
    )
    ddl = (shop("a", "shop", "b"), "CREATE TABLE of (b)", *triggers)
    found = change(enforcing, ddl, drop("shop", "b"))
    assert [found["shop"], found["b"], found["begin"]] == [shop("a"), *triggers]


@on_sqlite
@awaited_only
def test_temporary_triggers_are_kept(enforcing: Twin) -> None:
    """They belong to the connection, so they are used in the same revision."""
    twin = enforcing
    twin.history(
        run(
            shop("a", "b"),
            "CREATE TABLE log (a)",
            "CREATE TEMP TABLE other (a)",
            "CREATE TEMP TRIGGER t AFTER INSERT ON shop"
            " BEGIN INSERT INTO log VALUES (new.a); END",
            "CREATE TRIGGER t AFTER INSERT ON shop"
            " BEGIN INSERT INTO log VALUES (new.a + 1); END",
            "CREATE TEMP VIEW v AS SELECT a FROM shop",
        )
        + "\n"
        + drop("b")
        + "\n"
        + run("INSERT INTO shop VALUES (1)", "INSERT INTO log SELECT a + 2 FROM v")
    )
    twin.upgrade()
    assert twin.caller.query(twin.engine, "SELECT a FROM log ORDER BY a") == [
        (1,),
        (2,),
        (3,),
    ]


@on_sqlite
@awaited_only
def test_a_temporary_table_stays_temporary(enforcing: Twin) -> None:
    twin = enforcing
    twin.history(
        run("CREATE TABLE log (a)", "CREATE TEMP TABLE shop (a, b)")
        + "\n"
        + drop("b")
        + "\n"
        + run("INSERT INTO log SELECT sql FROM temp.sqlite_master")
    )
    twin.upgrade()
    query = "SELECT a FROM log"
    assert twin.caller.query(twin.engine, query) == [('CREATE TABLE "shop" (a)',)]
    assert [*statements(twin)] == ["log"]


@on_sqlite
@awaited_only
def test_if_not_exists_leaves_what_a_batch_has_kept(enforcing: Twin) -> None:
    trigger = "CREATE TRIGGER t AFTER INSERT ON shop BEGIN SELECT 1; END"
    index = "CREATE INDEX i ON shop (lower(a))"
    again = run(
        "CREATE TRIGGER IF NOT EXISTS t AFTER INSERT ON shop BEGIN SELECT 2; END",
        "create index if not exists i ON shop (upper(a))",
    )
    found = change(enforcing, (shop("a"), trigger, index), ADD, again)
    assert (found["t"], found["i"]) == (trigger, index)


@on_sqlite
@awaited_only
def test_a_table_that_alembic_has_left_behind_is_in_nobodys_way(
    enforcing: Twin,
) -> None:
    """It can hold the only copy of some rows, so it stays as it is."""
    left = "CREATE TABLE _alembic_tmp_shop (a)"
    found = change(enforcing, (shop("a"), left), ADD, ADD.replace("'x'", "'y'"))
    assert found == {"shop": shop("a", "x TEXT", "y TEXT"), "_alembic_tmp_shop": left}


@on_sqlite
@awaited_only
def test_where_alembic_makes_the_table_such_a_one_is_named(enforcing: Twin) -> None:
    error = refuse(
        enforcing,
        (shop("a"), "CREATE TABLE _alembic_tmp_shop (a)"),
        "table = sa.Table('shop', sa.MetaData(), sa.Column('a', sa.Text))\n"
        "with op.batch_alter_table('shop', copy_from=table, recreate='always'):\n"
        "    pass",
    )
    assert str(error) == (
        "The batch change of table 'shop' is not possible: table '_alembic_tmp_shop' is"
        " left over from a batch that was broken off. Drop it if you do not need its"
        " rows."
    )


@on_sqlite
@awaited_only
def test_a_temporary_trigger_gives_way_to_a_temporary_one(enforcing: Twin) -> None:
    """What has the same name in the database itself is another one."""
    twin = enforcing
    log = "BEGIN INSERT INTO log VALUES ({}); END"
    create = "CREATE {} TRIGGER t AFTER INSERT ON shop " + log
    twin.history(
        run(shop("a"), "CREATE TABLE log (a)", create.format("TEMP", 1))
        + f"\n{ADD}\n"
        + run(create.format("", 2), "INSERT INTO shop (a) VALUES (1)")
        + f"\n{drop('x')}\n"
        + run(create.format("TEMPORARY", 3), "INSERT INTO shop VALUES (1)")
    )
    twin.upgrade()
    rows = twin.caller.query(twin.engine, "SELECT a FROM log ORDER BY a")
    assert rows == [(1,), (2,), (2,), (3,)]


@on_sqlite
@awaited_only
@pytest.mark.parametrize(
    ("table", "code"),
    [
        (shop("a INT", "b INT", "PRIMARY KEY (a, b) ON CONFLICT REPLACE"), drop("b")),
        (
            shop("a TEXT UNIQUE ON CONFLICT IGNORE", "b INT"),
            batch("alter_column('a', type_=sa.Integer)"),
        ),
        (
            shop("a INT", "b INT"),
            batch("create_unique_constraint('u', ['a'], sqlite_on_conflict='REPLACE')"),
        ),
    ],
)
def test_no_row_is_left_out_by_a_conflict(
    table: str, code: str, enforcing: Twin
) -> None:
    """A constraint that would do so is an error while the rows are copied."""
    rows = "INSERT INTO shop VALUES (1, 1), ('1.0', 2)"
    enforcing.history(run(table, rows), code)

    with pytest.raises(MigrationError, match="UNIQUE constraint failed"):
        enforcing.upgrade()


BROKEN = (
    "CREATE TABLE item (a, b)",
    "CREATE VIEW v AS SELECT no_column FROM item",
    "CREATE VIEW w AS SELECT * FROM v",
    "CREATE TRIGGER t AFTER INSERT ON item BEGIN DELETE FROM no_table; END",
    "CREATE VIEW x AS SELECT a FROM item",
    "CREATE TRIGGER u INSTEAD OF DELETE ON x BEGIN DELETE FROM item; END",
    "CREATE TABLE lost (a)",
    "CREATE VIEW y AS SELECT a FROM lost",
    "CREATE TRIGGER s INSTEAD OF DELETE ON y BEGIN SELECT 1; END",
    "DROP TABLE lost",
)


@on_sqlite
@awaited_only
def test_what_was_broken_before_is_not_in_the_way(enforcing: Twin) -> None:
    expected = shop("a", "x TEXT")
    assert change(enforcing, (shop("a"), *BROKEN), ADD)["shop"] == expected


@on_sqlite
@awaited_only
@pytest.mark.parametrize(
    ("trigger", "code", "sentence"),
    [
        (
            "AFTER DELETE ON item BEGIN INSERT INTO shop (b) VALUES (1); END",
            drop("b"),
            "the triggers of 'item': table shop has no column named b",
        ),
        (
            "AFTER UPDATE ON item BEGIN INSERT INTO shop VALUES (1, 2); END",
            ADD,
            "the triggers of 'item': table shop has 3 columns but 2 values were",
        ),
        (
            "INSTEAD OF UPDATE ON x BEGIN UPDATE shop SET a = old.a WHERE b = 1; END",
            drop("b"),
            "the triggers of 'x': no such column: b",
        ),
    ],
)
def test_what_is_broken_beside_it_is_found(
    trigger: str, code: str, sentence: str, enforcing: Twin
) -> None:
    ddl = (shop("a", "b"), *BROKEN, f"CREATE TRIGGER z {trigger}")
    assert sentence in str(refuse(enforcing, ddl, code))


@on_sqlite
@awaited_only
def test_the_rows_are_converted_and_keep_their_ids(enforcing: Twin) -> None:
    twin = enforcing
    change(
        twin,
        (
            shop("a TEXT", "rowid TEXT", "b INT", "c AS (b + 1) STORED"),
            "INSERT INTO shop (oid, a, rowid, b)"
            " VALUES (7, '1x', 'y', 2), (3, 2, 5, 3)",
        ),
        batch(
            "alter_column('a', type_=sa.Integer)",
            "alter_column('b', type_=sa.Text, new_column_name='rowid')",
            "alter_column('rowid', new_column_name='b')",
            "add_column(sa.Column('x', sa.Integer, default=9))",
        ),
    )
    assert twin.caller.query(twin.engine, "SELECT oid, * FROM shop ORDER BY oid") == [
        (3, 2, "5", "3", 4, 9),
        (7, 1, "y", "2", 3, 9),
    ]
