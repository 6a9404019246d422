"""A batch change on SQLite edits the statement that SQLite keeps, and nothing else in
it.
"""

from __future__ import annotations

import pytest

from async_alembic import MigrationError
from async_alembic.dialects.sqlite.create_table import CreateTable
from async_alembic.dialects.sqlite.tokens import NotUnderstoodError

from ...harness import awaited_only
from ...twins import on_sqlite
from ...twins import Twin
from .edits import ADD
from .edits import change
from .edits import drop
from .edits import NOTHING
from .edits import refuse
from .edits import shop
from .edits import statements
from .shops import batch
from .shops import run


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
            ("a",),
            batch("impl.rename_table('shop', 'x')"),
            "is not possible: Alembic renames no table in one. Use op.rename_table().",
        ),
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
        (("a",), drop("b"), "is not possible: it has no column 'b'. Correct"),
        (
            ("a", "b"),
            batch("alter_column('c', new_column_name='d')"),
            "is not possible: it has no column 'c'. Correct the revision.",
        ),
        (
            ("a", "b"),
            batch("alter_column('a', new_column_name='B')"),
            "is not possible: it would have two columns 'b'. Correct the revision.",
        ),
        (
            ("a", "b"),
            batch("add_column(sa.Column('A', sa.Text))", recreate="always"),
            "is not possible: it would have two columns 'a'. Correct the revision.",
        ),
        (
            ("a",),
            batch("create_unique_constraint('u', ['b'])"),
            "is not possible: no such column: b. Correct the revision or the table.",
        ),
        (
            ("a INT", "b INT", "PRIMARY KEY (a, b)"),
            batch(recreate="always", table_kwargs={"sqlite_autoincrement": True})
            + NOTHING,
            "AUTOINCREMENT is only allowed on an INTEGER PRIMARY KEY. Correct the",
        ),
        (
            ("a",),
            "column = sa.Column('a', sa.Text, sa.ForeignKey('item.id'))\n"
            "with op.batch_alter_table('shop', recreate='always',"
            " reflect_args=[column]) as batch:\n    pass",
            "SQLite's own statement is edited, without constraints in reflect_args."
            " Create them in the batch.",
        ),
        (
            ("a",),
            batch(recreate="always", reflect_kwargs={"resolve_fks": False}) + NOTHING,
            "is not possible: SQLite's own statement is edited, without reflect_kwargs."
            " Use reflect_args, or copy_from.",
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


@on_sqlite
@awaited_only
@pytest.mark.parametrize(
    ("kept", "again"),
    [
        ("CREATE TRIGGER É", "CREATE TRIGGER É"),
        ('CREATE TRIGGER "a ""b"', '/* again */ create trigger main . [a "b]'),
        ("CREATE TRIGGER 'trigger'", 'CREATE TRIGGER "TRIGGER"'),
    ],
)
def test_a_trigger_with_an_odd_name_gives_way_as_well(
    kept: str, again: str, enforcing: Twin
) -> None:
    body = "AFTER INSERT ON shop BEGIN SELECT {}; END"
    ddl = (shop("a"), f"{kept} {body.format(1)}")
    found = change(enforcing, ddl, ADD, run(f"{again} {body.format(2)}"))
    [sql] = [sql for name, sql in found.items() if name != "shop"]
    assert "SELECT 2" in sql


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
            "INSERT INTO shop (oid, a, rowid, b) VALUES (7, '1', 'y', 2), (3, 2, 5, 3)",
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
