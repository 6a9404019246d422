#!/usr/bin/env bash
# SQLAlchemy 2.0.31 and 2.1.9: a "before_execute" listener with retval=True may return
# another statement. The execution options of that statement do not reach
# ExecutionContext.execution_options, which has those of the statement that was passed to
# execute(). They are on ExecutionContext.compiled.execution_options only.
#
# Seen, for a statement that the listener replaces by one with execution_options(mark=1):
#   context.execution_options: None    context.compiled.execution_options: 1
# and for a statement that has the option itself: 1 and 1.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

for version in 2.0.31 2.1.9; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet --disable-pip-version-check "sqlalchemy==$version"
    "$folder/$version/bin/python" - <<'PYTHON'
import sqlalchemy as sa

engine = sa.create_engine("sqlite://")
seen = []


def replace(connection, statement, multiparams, params, execution_options):
    return statement.execution_options(mark=1), multiparams, params


@sa.event.listens_for(engine, "before_cursor_execute")
def look(connection, cursor, statement, parameters, context, executemany):
    seen.append(
        (
            context.execution_options.get("mark"),
            context.compiled.execution_options.get("mark"),
        )
    )


select = sa.select(sa.literal(1))

with engine.connect() as connection:
    sa.event.listen(connection, "before_execute", replace, retval=True)
    connection.execute(select)
    sa.event.remove(connection, "before_execute", replace)
    connection.execute(select.execution_options(mark=1))

print(f"SQLAlchemy {sa.__version__}: replaced {seen[0]}, passed {seen[1]}")
assert seen == [(None, 1), (1, 1)], seen
PYTHON
done
