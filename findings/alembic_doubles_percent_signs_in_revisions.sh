#!/usr/bin/env bash
# Alembic 1.20.1 with SQLAlchemy 2.1.9: autogenerate writes '%%' into a revision for the '%'
# of a computed column or a check, if the driver is psycopg2, psycopg or one of MySQL. The
# revision doubles it once more when it runs, so '%%' is what the database stores.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "alembic==1.20.1" "sqlalchemy==2.1.9"
"$folder/venv/bin/python" - <<'PYTHON'
import sqlalchemy as sa
from alembic.autogenerate import render_python_code
from alembic.migration import MigrationContext
from alembic.operations import ops
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2
from sqlalchemy.schema import CreateTable

table = sa.Table(
    "a",
    sa.MetaData(),
    sa.Column("n", sa.String(20)),
    sa.Column("shown", sa.String(20), sa.Computed("n || '%'", persisted=True)),
)
upgrade = ops.UpgradeOps([ops.CreateTableOp.from_table(table)])
found = {}

for dialect in PGDialect_asyncpg(), PGDialect_psycopg2():
    context = MigrationContext.configure(dialect=dialect)
    code = render_python_code(upgrade, migration_context=context)
    found[dialect.driver] = code.count("%"), str(CreateTable(table).compile(dialect=dialect)).count("%")

print(f"Percent signs in the revision, and in the statement of the models: {found}")
# The driver halves those of the statement. Nobody halves those of the revision.
assert found == {"asyncpg": (1, 1), "psycopg2": (2, 2)}, found
PYTHON
