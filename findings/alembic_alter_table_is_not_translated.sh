#!/usr/bin/env bash
# Alembic 1.16.5 and 1.20.1 on SQLAlchemy 2.1.9: the execution option schema_translate_map
# counts for op.create_table() and op.create_index(), but not for op.add_column(),
# op.drop_column(), op.alter_column() and op.rename_table(), which are Alembic's own DDL.
#
# So with a schema for each tenant, a revision creates a table in the tenant's schema, and
# the next one changes the table of that name in the default schema, if there is one. Seen
# with "own" translated to "main" on SQLite: CREATE TABLE main.item, ALTER TABLE own.item.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

for version in 1.16.5 1.20.1; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet --disable-pip-version-check "alembic==$version" \
        sqlalchemy==2.1.9
    "$folder/$version/bin/python" - <<'PYTHON'
import alembic
import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

engine = sa.create_engine("sqlite://").execution_options(
    schema_translate_map={"own": "main"}
)
seen = []
sa.event.listen(engine, "before_cursor_execute", lambda *args: seen.append(args[2]))

with engine.connect() as connection:
    op = Operations(MigrationContext.configure(connection))
    op.create_table("item", sa.Column("id", sa.Integer), schema="own")

    try:
        op.add_column("item", sa.Column("name", sa.String), schema="own")
    except sa.exc.OperationalError as e:
        error = str(e.orig)

print(f"Alembic {alembic.__version__}: {[' '.join(s.split()) for s in seen]}, {error}")
assert "CREATE TABLE main.item" in seen[0], seen
assert "ALTER TABLE own.item" in seen[1], seen
PYTHON
done
