#!/usr/bin/env bash
# SQLite 3.40.1 and 3.54.1: ALTER TABLE ... ADD COLUMN can change what existing views, triggers
# and indexes mean. A string that was written in double quotes becomes the new column if it has
# that name, without an error. RENAME COLUMN protects such strings in views.
#
# Seen, where a column "paid" is added to a table whose view, trigger and unique partial index
# have the string "paid" in double quotes:
# - the view has NULL where it had 'paid';
# - the trigger writes NULL instead of 'paid';
# - the index accepts a second row that it refused before.
# If a column is renamed to "paid" instead, the view goes on, and its text then has 'paid'.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
# It comes with SQLite 3.54.1. Python's own sqlite3 has the version of the system.
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check apsw==3.54.1.0
"$folder/venv/bin/python" - <<'PYTHON'
import sqlite3

import apsw


def prepare(connect):
    connection = connect()

    for statement in (
        "CREATE TABLE bill (id INTEGER PRIMARY KEY, number INTEGER, state TEXT, other TEXT)",
        "INSERT INTO bill VALUES (1, 7, 'paid', 'x')",
        "CREATE TABLE log (state TEXT)",
        'CREATE VIEW done AS SELECT id, "paid" AS label FROM bill',
        "CREATE TRIGGER t AFTER UPDATE ON bill BEGIN"
        ' INSERT INTO log SELECT "paid" FROM bill; END',
        'CREATE UNIQUE INDEX i ON bill (number) WHERE state = "paid"',
    ):
        connection.execute(statement)

    return connection


def look(connection):
    """Return a value of the view and of the trigger, and whether the index refuses a row."""
    ((label,),) = connection.execute("SELECT label FROM done")
    connection.execute("UPDATE bill SET other = 'y'")
    ((logged,),) = connection.execute("SELECT state FROM log")

    try:
        connection.execute("INSERT INTO bill (number, state) VALUES (7, 'paid')")
        return label, logged, "accepted"
    except (sqlite3.IntegrityError, apsw.ConstraintError):
        return label, logged, "refused"


def check(version, connect):
    same = look(prepare(connect))
    added = prepare(connect)
    added.execute("ALTER TABLE bill ADD COLUMN paid TEXT")
    added = look(added)
    renamed = prepare(connect)
    renamed.execute("ALTER TABLE bill RENAME COLUMN other TO paid")
    ((label,),) = renamed.execute("SELECT label FROM done")
    query = "SELECT sql FROM sqlite_master WHERE name = 'done'"
    ((view,),) = renamed.execute(query)
    print(f"SQLite {version}: before: {same}; column added: {added}; renamed: {label}, {view}")
    assert same == ("paid", "paid", "refused"), same
    assert added == (None, None, "accepted"), added
    assert label == "paid" and "'paid'" in view, view


check(apsw.sqlite_lib_version(), lambda: apsw.Connection(":memory:"))
check(
    sqlite3.sqlite_version, lambda: sqlite3.connect(":memory:", isolation_level=None)
)
PYTHON
