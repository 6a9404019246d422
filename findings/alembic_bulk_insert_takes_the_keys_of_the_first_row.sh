#!/usr/bin/env bash
# Alembic 1.16.5 and 1.20.1 on SQLAlchemy 2.1.9: op.bulk_insert() inserts the columns that the
# first row has. What later rows have besides is left out, without an error. The script that
# --sql writes has it. With multiinsert=False, the database has it, too.
#
# So a review of the script does not show what the upgrade does. Seen for the rows {"id": 1}
# and {"id": 2, "name": "b"}: the upgrade inserts (2, NULL), the script (2, 'b'). In the other
# order, the upgrade fails, and the script inserts both.
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

item = sa.table("item", sa.column("id", sa.Integer), sa.column("name", sa.String))
rows = [{"id": 1}, {"id": 2, "name": "b"}]


def upgrade(rows, **options):
    """Return the rows of the table after an upgrade."""
    with sa.create_engine("sqlite://").connect() as connection:
        op = Operations(MigrationContext.configure(connection))
        op.create_table(
            "item", sa.Column("id", sa.Integer), sa.Column("name", sa.String)
        )

        try:
            op.bulk_insert(item, rows, **options)
        except sa.exc.StatementError as e:
            return str(e.orig)

        return [tuple(row) for row in connection.execute(sa.select(item))]


def script(rows):
    """Return the SQL of the same."""
    output = io.StringIO()
    opts = {"as_sql": True, "literal_binds": True, "output_buffer": output}
    context = MigrationContext.configure(dialect_name="sqlite", opts=opts)
    Operations(context).bulk_insert(item, rows)
    return output.getvalue().split("\n\n")[:2]


seen = upgrade(rows), upgrade(rows, multiinsert=False), script(rows), upgrade(rows[::-1])
print(f"Alembic {alembic.__version__}:", *seen, sep="\n  ")
both = [(1, None), (2, "b")]
assert seen[:2] == ([(1, None), (2, None)], both), seen
assert "VALUES (2, 'b')" in seen[2][1], seen
assert "A value is required for bind parameter 'name'" in seen[3], seen
PYTHON
done
