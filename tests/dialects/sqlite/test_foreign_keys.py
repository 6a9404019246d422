"""What an upgrade on SQLite says of rows that would refer to none."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from async_alembic import DatabaseError
from async_alembic import ForeignKeyError

from ...backends import by_id
from ...backends import on
from ...harness import awaited_only
from ...harness import blocking_only
from ...twins import on_sqlite
from ...twins import Twin

on_sqlite3 = on([by_id("sqlite-sqlite3")])
PARENT = "CREATE TABLE parent (id INTEGER PRIMARY KEY, code TEXT, UNIQUE (id, code))"
ROWS = "INSERT INTO parent VALUES (1, 'a'), (2, 'b')"
DELETE = "DELETE FROM parent WHERE id = 2"
NEVER = "so the migration was rolled back. Correct the revision or the data."


def run(*statements: str) -> str:
    return "\n".join(f"op.execute({statement!r})" for statement in statements)


def fail(twin: Twin, *statements: str) -> ForeignKeyError:
    """What the upgrade by a revision fails with, which leaves everything as it was."""
    before = twin.dump()
    twin.revision("a2", "a1", run(*statements))

    with pytest.raises(ForeignKeyError) as e:
        twin.upgrade()

    assert twin.dump() == before
    return e.value


@on_sqlite
@awaited_only
@pytest.mark.parametrize(
    ("child", "row", "key", "constraint", "columns", "referred"),
    [
        (
            "(id INTEGER PRIMARY KEY, parent_id INT CONSTRAINT belongs"
            " REFERENCES parent ON DELETE SET NULL)",
            "Row 5",
            "the foreign key 'belongs'",
            "belongs",
            ("parent_id",),
            (),
        ),
        (
            "(id INTEGER PRIMARY KEY, parent_id INT REFERENCES Parent (id))",
            "Row 5",
            "the foreign key (parent_id) to Parent (id)",
            None,
            ("parent_id",),
            ("id",),
        ),
        (
            "(id INT PRIMARY KEY, parent_id INT, own INT REFERENCES child, code TEXT"
            " DEFAULT 'b', CONSTRAINT both FOREIGN KEY (parent_id, code)"
            " REFERENCES parent (id, code)) WITHOUT ROWID",
            "A row",
            "the foreign key 'both'",
            "both",
            ("parent_id", "code"),
            ("id", "code"),
        ),
    ],
)
def test_the_row_and_the_foreign_key_are_named(
    child: str,
    row: str,
    key: str,
    constraint: str | None,
    columns: tuple[str, ...],
    referred: tuple[str, ...],
    enforcing: Twin,
) -> None:
    insert = "INSERT INTO child (id, parent_id) VALUES (5, 2), (6, NULL)"
    enforcing.history(run(PARENT, ROWS, f"CREATE TABLE child {child}", insert))
    enforcing.upgrade()
    error = fail(enforcing, DELETE)
    parent = "Parent" if "Parent" in child else "parent"
    assert str(error).startswith(
        f"{row} of table 'child' would refer to a missing row of table '{parent}'"
        f" through {key}, {NEVER}"
    )
    assert (error.table, error.parent, error.constraint) == (
        "child",
        parent,
        constraint,
    )
    assert error.row == (None if row == "A row" else 5)
    assert error.columns == columns
    assert error.referred == referred


@on_sqlite3
@blocking_only
def test_a_row_of_an_attached_database_is_named_with_it(
    enforcing: Twin, tmp_path: Path
) -> None:
    other = tmp_path / "other.db"
    attach = (
        "with op.get_context().autocommit_block():\n"
        f"    op.execute(\"ATTACH '{other}' AS other\")\n"
    )
    enforcing.history(
        attach
        + run(
            PARENT.replace("parent", "other.parent", 1),
            "CREATE TABLE other.child (id INTEGER PRIMARY KEY,"
            " p INT REFERENCES parent)",
            "INSERT INTO other.child VALUES (7, 9)",
        )
    )

    with pytest.raises(
        ForeignKeyError,
        match=r"Row 7 of table 'other\.child'.*foreign key \(p\) to other\.parent",
    ):
        enforcing.upgrade()


MISMATCH = (
    "CREATE TABLE wrong (id INTEGER PRIMARY KEY, p TEXT REFERENCES parent (code))"
)


@on_sqlite3
@blocking_only
def test_a_key_to_what_is_not_unique_is_named(enforcing: Twin) -> None:
    """SQLite itself only says that it does not match."""
    enforcing.history(run(PARENT, MISMATCH, "INSERT INTO wrong VALUES (1, 'a')"))

    with pytest.raises(ForeignKeyError) as e:
        enforcing.upgrade()

    assert (
        "A foreign key of table 'wrong' would refer to columns of table 'parent'"
        in (str(e.value))
    )
    assert (e.value.table, e.value.parent) == ("wrong", "parent")
    assert enforcing.caller.tables(enforcing.engine) == set()


@on_sqlite3
@blocking_only
def test_such_a_key_that_was_there_before_is_no_obstacle(enforcing: Twin) -> None:
    """The other tables are checked nevertheless."""
    child = "CREATE TABLE child (id INTEGER PRIMARY KEY, p INT REFERENCES parent)"
    first = run(PARENT, ROWS, child, "INSERT INTO child VALUES (1, 2)")
    enforcing.history(first)
    enforcing.upgrade()
    assert enforcing.engine.url.database is not None

    with contextlib.closing(sqlite3.connect(enforcing.engine.url.database)) as other:
        other.execute(MISMATCH)

    enforcing.history(first, run("INSERT INTO parent VALUES (3, 'c')"))
    assert enforcing.upgrade() == ["a2"]
    enforcing.history(first, "pass", run(DELETE))

    with pytest.raises(ForeignKeyError, match="Row 1 of table 'child'"):
        enforcing.upgrade()


@on_sqlite
@blocking_only
@pytest.mark.parametrize("more", [[], [MISMATCH]], ids=["all", "each"])
def test_what_sqlite_cannot_check_is_told(more: list[str], enforcing: Twin) -> None:
    """As where the app gives its connections a collation, and this one has it not."""
    assert enforcing.engine.url.database is not None

    with contextlib.closing(sqlite3.connect(enforcing.engine.url.database)) as other:
        other.create_collation("german", lambda a, b: (a > b) - (a < b))
        other.execute(PARENT)
        other.execute("CREATE TABLE city (name TEXT COLLATE german PRIMARY KEY)")
        other.execute("CREATE TABLE street (city TEXT REFERENCES city)")
        other.execute("INSERT INTO city VALUES ('Berlin')")
        other.execute("INSERT INTO street VALUES ('Berlin')")

        for statement in more:
            other.execute(statement)

        other.commit()

    enforcing.history(run("CREATE TABLE log (id INT)"))

    with pytest.raises(DatabaseError, match="no such collation sequence: german"):
        enforcing.upgrade()

    assert "log" not in enforcing.caller.tables(enforcing.engine)
