#!/usr/bin/env bash
# SQLite 3.40.1 and 3.54.1: much of what the manual says a new column may not have is refused
# only if the table has a row. So a revision passes in tests, on a new database, and fails in
# production.
#
# Seen, each on an empty table and on a table with one row: ALTER TABLE ... ADD COLUMN with
# DEFAULT CURRENT_TIMESTAMP, with a default in parentheses, with a STORED computed value, and
# with a REFERENCES and a default while foreign keys are enforced. All four succeed on the
# empty table, and the column works afterwards; all four fail on the other one. A UNIQUE column
# is refused on both.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
# It comes with SQLite 3.54.1. Python's own sqlite3 has the version of the system.
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check apsw==3.54.1.0
"$folder/venv/bin/python" - <<'PYTHON'
import sqlite3

import apsw

#: Columns, and whether they can be added to a table without and with a row.
COLUMNS = {
    "made TEXT DEFAULT CURRENT_TIMESTAMP": (True, False),
    "token TEXT DEFAULT (hex(randomblob(4)))": (True, False),
    "double INTEGER AS (x * 2) STORED": (True, False),
    "kind INTEGER DEFAULT 1 REFERENCES kind (id)": (True, False),
    "code TEXT UNIQUE": (False, False),
}


def succeeds(connection, column, rows):
    for statement in (
        "PRAGMA foreign_keys = ON",
        "CREATE TABLE kind (id INTEGER PRIMARY KEY)",
        "INSERT INTO kind VALUES (1)",
        "CREATE TABLE item (x INTEGER)",
        *["INSERT INTO item VALUES (3)"] * rows,
    ):
        connection.execute(statement)

    try:
        connection.execute(f"ALTER TABLE item ADD COLUMN {column}")
    except (sqlite3.OperationalError, apsw.SQLError) as e:
        print(f"{column}, {rows} rows: {e}")
        return False

    connection.execute("INSERT INTO item (x) VALUES (4)")
    ((_, value),) = connection.execute("SELECT * FROM item")
    print(f"{column}, {rows} rows: added; a new row has {value!r}")
    assert value is not None
    return True


def check(version, connect):
    print(f"SQLite {version}")
    seen = {
        column: (succeeds(connect(), column, 0), succeeds(connect(), column, 1))
        for column in COLUMNS
    }
    assert seen == COLUMNS, seen


check(apsw.sqlite_lib_version(), lambda: apsw.Connection(":memory:"))
check(
    sqlite3.sqlite_version, lambda: sqlite3.connect(":memory:", isolation_level=None)
)
PYTHON
