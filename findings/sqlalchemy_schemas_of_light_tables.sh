#!/usr/bin/env bash
# SQLAlchemy 2.0.31 and 2.1.9: the execution option schema_translate_map is ignored for
# sqlalchemy.table(), the light construct, also if it is given a schema. Only Table objects
# are translated, in the same statement, too.
#
# So a query that is built of table() silently goes to another schema than those of the
# models. Seen, with "own" translated to "main" on SQLite: own.item for the light table,
# main.item for the other one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

for version in 2.0.31 2.1.9; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet --disable-pip-version-check "sqlalchemy==$version"
    "$folder/$version/bin/python" - <<'PYTHON'
import sqlalchemy as sa

engine = sa.create_engine("sqlite://").execution_options(
    schema_translate_map={"own": "main"}
)
column = sa.Column("id", sa.Integer)
heavy = sa.Table("item", sa.MetaData(), column, schema="own")
light = sa.table("item", sa.column("id"), schema="own")
seen = []
sa.event.listen(engine, "before_cursor_execute", lambda *args: seen.append(args[2]))

with engine.connect() as connection:
    heavy.create(connection)
    connection.execute(sa.select(heavy))

    try:
        connection.execute(sa.select(light))
    except sa.exc.OperationalError as e:
        error = str(e.orig)

print(f"SQLAlchemy {sa.__version__}: {[' '.join(s.split()) for s in seen[-2:]]}, {error}")
assert "main.item" in seen[-2], seen
assert "own.item" in seen[-1], seen
assert error == "no such table: own.item", error
PYTHON
done
