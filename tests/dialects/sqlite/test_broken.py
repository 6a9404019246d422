"""What a batch change would break is found without running or compiling it."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from async_alembic.dialects.sqlite.broken import find_broken

from ...harness import awaited_only
from ...twins import on_sqlite
from ...twins import Twin
from .edits import ADD
from .edits import change
from .edits import drop
from .edits import refuse
from .edits import shop
from .shops import batch

TABLES = (
    shop("a", "b UNIQUE", "id INTEGER PRIMARY KEY"),
    "CREATE TABLE item (a, b)",
)
CONFLICT = "ON CONFLICT ({}) DO UPDATE SET a = excluded.a"
UNNAMED = batch(
    "drop_constraint('uq_b', type_='unique')",
    naming_convention={"uq": "uq_%(column_0_name)s"},
)
COMPUTE = batch(
    "drop_column('b')", "add_column(sa.Column('b', sa.Text, sa.Computed('a')))"
)


@on_sqlite
@awaited_only
@pytest.mark.parametrize(
    ("step", "code", "reason"),
    [
        ("REPLACE INTO shop ([B]) VALUES (1)", drop("b"), "table shop has no column"),
        ("UPDATE OR IGNORE shop SET a = 1, 'b' = 2", drop("b"), "no such column: b"),
        ("UPDATE shop SET (id, b) = (1, 2)", drop("b"), "no such column: b"),
        ("UPDATE shop SET b = item.a FROM item", drop("b"), "no such column: b"),
        (
            f"INSERT INTO shop (a) SELECT 1 WHERE true {CONFLICT.format('id')}, b = 1",
            drop("b"),
            "no such column: b",
        ),
        (
            f"INSERT INTO shop (a) VALUES (1) {CONFLICT.format('b')}",
            UNNAMED,
            "ON CONFLICT clause does not match any key",
        ),
        ("UPDATE shop SET b = 1", COMPUTE, 'cannot UPDATE generated column "b"'),
        ("INSERT INTO shop (b) VALUES (1)", COMPUTE, "cannot INSERT into generated"),
        (
            "INSERT INTO shop SELECT new.a, CASE old.b WHEN 1 THEN 2 END, 3",
            ADD,
            "table shop has 4 columns but 3 values were supplied",
        ),
        (
            "INSERT INTO item (a, b) SELECT 1, * FROM (SELECT b FROM shop)",
            drop("b"),
            "no such column: b",
        ),
        (
            "INSERT INTO item (a, b, oid) SELECT * FROM shop",
            ADD,
            "4 values for 3 columns",
        ),
        ("INSERT INTO shop SELECT *, 1 FROM item", drop("b"), "table shop has 2"),
    ],
)
def test_a_trigger_that_could_not_write_any_more_is_found(
    step: str, code: str, reason: str, enforcing: Twin
) -> None:
    trigger = f"CREATE TRIGGER t UPDATE ON item BEGIN SELECT 1; {step}; END"
    error = refuse(enforcing, (*TABLES, trigger), code)
    assert f"would break the triggers of 'item': {reason}" in str(error)


@on_sqlite
@awaited_only
@pytest.mark.parametrize(
    "step",
    [
        "INSERT INTO shop (a, rowid) VALUES (1, 2), (3, RAISE(IGNORE))",
        "INSERT INTO shop (a) SELECT 1 ON CONFLICT DO NOTHING",
        f"INSERT INTO shop (a) SELECT 1 WHERE true {CONFLICT.format('oid')}",
        f"INSERT INTO shop (a) VALUES (1) {CONFLICT.format('b')} WHERE b = 1"
        f" {CONFLICT.format('id')}",
        f"INSERT INTO shop (a) VALUES (1) {CONFLICT.format('b COLLATE BINARY')}",
        "INSERT INTO item WITH r AS (SELECT new.a) SELECT r.a, old.b FROM r, item old",
        "UPDATE shop SET _rowid_ = 3, a = (SELECT b FROM item WHERE a = 'SET') WHERE b",
        "DELETE FROM shop WHERE a = 'x; END'",
        "UPDATE begin SET begin = new.b",
    ],
)
def test_a_trigger_that_can_write_is_kept(step: str, enforcing: Twin) -> None:
    trigger = (
        "CREATE TRIGGER begin AFTER UPDATE OF a ON item WHEN new.b -- BEGIN SELECT\n"
        f" BEGIN {step}; END"
    )
    ddl = (*TABLES, "CREATE TABLE begin (begin)", trigger)
    assert change(enforcing, ddl, ADD, drop("x"))["begin"] == trigger


@on_sqlite
@awaited_only
@pytest.mark.parametrize(
    ("ddl", "what"),
    [
        ('VIEW v AS SELECT "b" FROM shop', "view 'v'"),
        (
            'TRIGGER t UPDATE ON item BEGIN SELECT "b" FROM shop; END',
            "triggers of 'item'",
        ),
    ],
)
def test_a_quoted_name_that_would_be_a_text_is_found(
    ddl: str, what: str, enforcing: Twin
) -> None:
    """SQLite runs it without an error, and gives the name for each row."""
    error = refuse(enforcing, (*TABLES, f"CREATE {ddl}"), drop("b"))
    assert str(error).startswith(
        f"The batch change of table 'shop' would break the {what}: without a column of"
        ' this name, "b" is a text. '
    )


@on_sqlite
@awaited_only
def test_a_view_with_names_for_fewer_columns_is_found(enforcing: Twin) -> None:
    view = "CREATE VIEW v (x, y, z) AS SELECT * FROM shop"
    assert "would break the view 'v': expected 3 columns for 'v' but got 4" in str(
        refuse(enforcing, (*TABLES, view), ADD)
    )


@on_sqlite
@awaited_only
def test_what_was_a_text_stays_one(enforcing: Twin) -> None:
    view = "CREATE VIEW v AS SELECT \"x\", 'b' FROM item"
    assert change(enforcing, (*TABLES, view), drop("b"))["v"] == view


def test_nothing_is_compiled_or_run_to_find_it() -> None:
    """Only what names them is resolved, as in any ``ALTER TABLE``."""
    engine = sa.create_engine("sqlite://")

    with engine.connect() as connection:
        for sql in (
            *TABLES,
            "CREATE TRIGGER t UPDATE ON item BEGIN DELETE FROM no; END",
        ):
            connection.exec_driver_sql(sql)

        traced: list[str] = []
        driver_connection = connection.connection.driver_connection
        assert driver_connection is not None
        driver_connection.set_trace_callback(traced.append)
        assert find_broken(connection, "main")
        driver_connection.set_trace_callback(None)

    engine.dispose()
    words = {sql.split()[0] for sql in traced if not sql.startswith("--")}
    assert words <= {"SELECT", "PRAGMA", "SAVEPOINT", "CREATE", "ALTER", "DROP"} | {
        "ROLLBACK",
        "BEGIN",
    }


def test_the_search_leaves_the_database_as_it_is() -> None:
    engine = sa.create_engine("sqlite://")

    with engine.connect() as connection:
        for sql in (*TABLES, "CREATE VIEW v AS SELECT no FROM item"):
            connection.exec_driver_sql(sql)

        connection.exec_driver_sql("PRAGMA legacy_alter_table=ON")
        query = "SELECT name, sql FROM sqlite_master"
        before = connection.exec_driver_sql(query).all()
        assert find_broken(connection, "main") == {
            ("view 'v'", "v"): "no such column: no"
        }
        assert connection.exec_driver_sql(query).all() == before
        assert connection.exec_driver_sql("PRAGMA legacy_alter_table").scalar() == 1

    engine.dispose()
