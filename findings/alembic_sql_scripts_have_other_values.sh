#!/usr/bin/env bash
# Alembic 1.16.5 and 1.20.1 on SQLAlchemy 2.1.9, in offline mode (--sql), on PostgreSQL:
# the script has other values than the revision writes when it is run.
#
# - A tab within a literal becomes four spaces.
# - The parameters of op.get_bind().execute(statement, parameters) are forgotten: the script
#   has their placeholders instead, without an error.
#
# Seen: VALUES ('a    b'), and VALUES (%(text)s::VARCHAR).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

for version in 1.16.5 1.20.1; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet --disable-pip-version-check "alembic==$version" \
        sqlalchemy==2.1.9
    "$folder/$version/bin/python" - <<'PYTHON'
import io

import alembic
import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

output = io.StringIO()
context = MigrationContext.configure(
    dialect_name="postgresql",
    opts={"as_sql": True, "literal_binds": True, "output_buffer": output},
)
op = Operations(context)
log = sa.table("log", sa.column("text", sa.String))
op.execute("INSERT INTO log VALUES ('a\tb')")
op.get_bind().execute(log.insert(), {"text": "c"})
first, second = output.getvalue().strip().split("\n\n")
print(f"Alembic {alembic.__version__}: {first} {second}")
assert first == "INSERT INTO log VALUES ('a    b');", first
assert second == "INSERT INTO log (text) VALUES (%(text)s::VARCHAR);", second
PYTHON
done
