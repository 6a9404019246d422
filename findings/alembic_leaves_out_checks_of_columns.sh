#!/usr/bin/env bash
# Alembic 1.16.5 and 1.20.1 on SQLAlchemy 2.1.9: autogenerate leaves out a CheckConstraint that
# is an argument of a Column or of mapped_column(), in op.create_table() and in op.add_column().
# metadata.create_all() creates it. So tests that use create_all() have a constraint which the
# migrated database does not have, and no comparison reports it.
#
# In 1.20.1, the plugin "alembic.ext.checkconstraint_byname" finds it if it has a name, but not
# before the table exists, so a second revision is needed. A CheckConstraint among the arguments of
# the Table is written.
#
# Seen on SQLite for a named and an unnamed check of columns, and a check of the table: only the
# last is in the revision. The migrated table accepts rows that the one of create_all() refuses, and
# the next comparison is empty. With the plugin, it has the named check.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

for version in 1.16.5 1.20.1; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet --disable-pip-version-check \
        "alembic==$version" sqlalchemy==2.1.9
    "$folder/$version/bin/python" - <<'PYTHON'
import alembic
import sqlalchemy as sa
from alembic import op
from alembic.autogenerate import compare_metadata
from alembic.autogenerate import produce_migrations
from alembic.autogenerate import render_python_code
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

# Alembic 1.16 ignores the option.
OPTIONS = {"autogenerate_plugins": ["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"]}


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "item"
    __table_args__ = (sa.CheckConstraint("size < 100", name="small"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(sa.CheckConstraint("size > 0", name="positive"))
    price: Mapped[int] = mapped_column(sa.CheckConstraint("price > 0"))


def generate(connection, opts=None):
    """Return the text of what autogenerate writes."""
    context = MigrationContext.configure(connection, opts=opts)
    return render_python_code(produce_migrations(context, Base.metadata).upgrade_ops)


def compare(connection, opts=None):
    context = MigrationContext.configure(connection, opts=opts)
    return compare_metadata(context, Base.metadata)


def accepts(connection, size, price):
    try:
        connection.execute(sa.insert(Item).values(size=size, price=price))
    except sa.exc.IntegrityError:
        return False

    return True


def look(connection):
    """Return what the check of the table and those of the columns refuse."""
    return [not accepts(connection, *row) for row in ((100, 1), (-1, 1), (1, -1))]


with sa.create_engine("sqlite://").connect() as connection:
    Base.metadata.create_all(connection)
    by_models = look(connection)

with sa.create_engine("sqlite://").connect() as connection:
    code, with_plugin = generate(connection), generate(connection, OPTIONS)

    with Operations.context(MigrationContext.configure(connection)):
        exec("if True:\n    " + code, {"op": op, "sa": sa})

    by_revision = look(connection)
    differences = compare(connection)
    named = compare(connection, OPTIONS)

with sa.create_engine("sqlite://").connect() as connection:
    connection.exec_driver_sql("CREATE TABLE item (id INTEGER PRIMARY KEY)")
    added = generate(connection)

names = [constraint.name for _, constraint in named]
print(f"Alembic {alembic.__version__}:", *code.splitlines()[1:-1], sep="\n")
print(*added.splitlines()[1:-1], sep="\n")
print("Refused by the models:", by_models, "by the revision:", by_revision)
print("Differences:", differences, "with the plugin:", names)
assert by_models == [True, True, True], by_models
assert by_revision == [True, False, False], by_revision
assert code.count("CheckConstraint") == with_plugin.count("CheckConstraint") == 1, code
assert "add_column" in added and "Check" not in added, added
assert differences == [], differences
assert names == (["positive"] if alembic.__version__ == "1.20.1" else []), names
PYTHON
done
