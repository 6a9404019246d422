#!/usr/bin/env bash
# SQLAlchemy 2.0.31 and 2.1.9, Alembic 1.16.5 and 1.20.1: a query by text() with ":name" and no
# value is an error. In CREATE TABLE and CREATE INDEX, NULL replaces it, also within a string, and
# without an error. The text of a CheckConstraint or a Computed is a text(), and so are reflected
# defaults, checks and conditions of indexes.
#
# So the database gets another default or constraint than the model says. If a batch of Alembic
# changes one column, the defaults and constraints of others become wrong, too, and a revision of
# autogenerate has the NULL in its source. In models, write a backslash before the colon. A colon
# after a letter, a digit or another colon stays.
#
# Seen on SQLite, and the first two in the statements for PostgreSQL and MySQL:
# - the default '{"dark":true}' becomes '{"dark"NULL}', and rows get that;
# - CHECK (code <> ':no') becomes CHECK (code <> 'NULL'), and ':no' is accepted;
# - a unique index with WHERE code <> ':none' gets WHERE code <> 'NULL', and a second ':none' is
#   refused;
# - in a table that was created by SQL, a batch that changes the default of another column does
#   the same.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

for versions in "2.0.31 1.16.5" "2.1.9 1.20.1"; do
    read -r sqlalchemy alembic <<<"$versions"
    python3 -m venv "$folder/$sqlalchemy"
    "$folder/$sqlalchemy/bin/pip" install --quiet --disable-pip-version-check \
        "sqlalchemy==$sqlalchemy" "alembic==$alembic"
    "$folder/$sqlalchemy/bin/python" - <<'PYTHON'
import alembic
import sqlalchemy as sa
from alembic.autogenerate import produce_migrations
from alembic.autogenerate import render_python_code
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

print(f"SQLAlchemy {sa.__version__}, Alembic {alembic.__version__}")
DEFAULT = """'{"dark":true}'"""
SQL = f"""
CREATE TABLE item (
    id INTEGER PRIMARY KEY, code TEXT, size INTEGER,
    options TEXT DEFAULT {DEFAULT},
    CONSTRAINT named CHECK (code <> ':no'),
    CONSTRAINT kept CHECK (code NOT LIKE 'urn:%')
)
"""
INDEX = "CREATE UNIQUE INDEX one ON item (code) WHERE code <> ':none'"
metadata = sa.MetaData()
model = sa.Table(
    "item",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("code", sa.Text),
    sa.Column("size", sa.Integer),
    sa.Column("options", sa.Text, server_default=sa.text(DEFAULT)),
    sa.CheckConstraint("code <> ':no'", name="named"),
    sa.CheckConstraint("code NOT LIKE 'urn:%'", name="kept"),
    sa.Index("one", "code", unique=True, sqlite_where=sa.text("code <> ':none'")),
)


def succeeds(connection, statement):
    try:
        connection.exec_driver_sql(statement)
    except sa.exc.IntegrityError:
        return False

    return True


def look(connection):
    """Return the default of a new row, and whether ':no' and a second ':none' are taken."""
    connection.exec_driver_sql("DELETE FROM item")
    succeeds(connection, "INSERT INTO item (code) VALUES (':none')")
    return (
        connection.exec_driver_sql("SELECT options FROM item").scalar(),
        succeeds(connection, "INSERT INTO item (code) VALUES (':no')"),
        succeeds(connection, "INSERT INTO item (code) VALUES (':none')"),
        succeeds(connection, "INSERT INTO item (code) VALUES ('urn:a')"),
    )


RIGHT = '{"dark":true}', False, True, False
WRONG = '{"dark"NULL}', True, False, False

with sa.create_engine("sqlite://").connect() as connection:
    try:
        connection.execute(sa.text(f"SELECT {DEFAULT}"))
        error = None
    except sa.exc.StatementError as e:
        error = str(e).partition("\n")[0]

    metadata.create_all(connection)
    by_model = look(connection)

with sa.create_engine("sqlite://").connect() as connection:
    connection.exec_driver_sql(SQL)
    connection.exec_driver_sql(INDEX)
    by_sql = look(connection)
    context = MigrationContext.configure(connection)
    removed = produce_migrations(context, sa.MetaData())
    code = render_python_code(removed.downgrade_ops)
    connection.exec_driver_sql("DELETE FROM item")

    with Operations(context).batch_alter_table("item") as batch:
        batch.alter_column("size", server_default="1")

    by_batch = look(connection)

print("In a statement:", error)
print("By the model:", by_model)
print("By SQL:", by_sql, "and after a batch:", by_batch)
print(*(line for line in code.splitlines() if "NULL" in line), sep="\n")
assert error and "bind parameter 'true'" in error, error
assert (by_model, by_sql, by_batch) == (WRONG, RIGHT, WRONG)
assert code.count("NULL") == 3, code

for dialect in postgresql.dialect(), mysql.dialect():
    statement = str(CreateTable(model).compile(dialect=dialect))
    lines = [line.strip() for line in statement.splitlines() if "'NULL'" in line or '"NULL' in line]
    print(f"{dialect.name}:", *lines, sep="\n  ")
    assert """DEFAULT '{"dark"NULL}'""" in statement, statement
    assert "<> 'NULL'" in statement and "LIKE 'urn:" in statement, statement
PYTHON
done
