#!/usr/bin/env bash
# SQLAlchemy-Utils 0.43.0 with Alembic 1.20.1: the code that autogenerate writes for a
# ChoiceType or a TimezoneType names an argument 'length' that their constructors refuse, so the
# revision fails when it runs. A 'render_item' function has to render them.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    "alembic==1.20.1" "sqlalchemy==2.1.9" "sqlalchemy-utils==0.43.0"
"$folder/venv/bin/python" - <<'PYTHON'
import sqlalchemy as sa
import sqlalchemy_utils
from alembic.autogenerate import render_python_code
from alembic.migration import MigrationContext
from alembic.operations import ops
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2

types = sqlalchemy_utils.ChoiceType([("a", "A")]), sqlalchemy_utils.TimezoneType(backend="zoneinfo")
context = MigrationContext.configure(dialect=PGDialect_psycopg2())

for type_ in types:
    table = sa.Table("t", sa.MetaData(), sa.Column("c", type_))
    code = render_python_code(ops.UpgradeOps([ops.CreateTableOp.from_table(table)]), migration_context=context)
    (line,) = [line.strip() for line in code.splitlines() if "sa.Column" in line]
    print(line)

    try:
        eval(line.rstrip(","), {"sa": sa, "sqlalchemy_utils": sqlalchemy_utils})
    except TypeError as e:
        print(e)
        assert "length" in str(e), e
    else:
        raise SystemExit("It runs now.")
PYTHON
