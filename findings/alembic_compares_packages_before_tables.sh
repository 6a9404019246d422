#!/usr/bin/env bash
# Alembic 1.17.2 and 1.20.1: a package that extends autogenerate by
# 'comparators.dispatch_for("schema")' is asked after the tables were compared in 1.17, and
# before them since 1.18. So a view of a new table is created before the table, in one
# revision. A plugin of 1.18 with 'Plugin.add_autogenerate_comparator' can say when it is asked.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat >"$folder/order.py" <<'PYTHON'
import sqlalchemy as sa
from alembic.autogenerate import comparators
from alembic.autogenerate import produce_migrations
from alembic.migration import MigrationContext
from alembic.operations import MigrateOperation


class CreateViewOp(MigrateOperation):
    def reverse(self):
        return self


@comparators.dispatch_for("schema")
def compare_views(context, upgrade_ops, schemas):
    upgrade_ops.ops.append(CreateViewOp())


metadata = sa.MetaData()
sa.Table("product", metadata, sa.Column("id", sa.Integer, primary_key=True))

with sa.create_engine("sqlite://").connect() as connection:
    context = MigrationContext.configure(connection)
    operations = produce_migrations(context, metadata).upgrade_ops.ops
    print(*[type(operation).__name__ for operation in operations])
PYTHON

python3 -m venv "$folder/venv"

# check VERSION EXPECTED
check() {
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "alembic==$1" "sqlalchemy==2.1.9"
    found=$("$folder/venv/bin/python" "$folder/order.py")
    echo "Alembic $1: $found"
    test "$found" = "$2"
}

check 1.17.2 "CreateTableOp CreateViewOp"
check 1.20.1 "CreateViewOp CreateTableOp"
