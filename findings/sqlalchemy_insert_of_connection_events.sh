#!/usr/bin/env bash
# SQLAlchemy 2.0.31 and 2.1.9: event.listen(target, "begin", fn, insert=True) appends the
# listener of a ConnectionEvents event, as if insert were not given. PoolEvents heed it.
#
# Seen, for a listener that is added second and with insert=True: it is called second for
# "begin" and "commit" of an engine, and first for "checkout" of its pool.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

for version in 2.0.31 2.1.9; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet --disable-pip-version-check "sqlalchemy==$version"
    "$folder/$version/bin/python" - <<'PYTHON'
import sqlalchemy as sa

engine = sa.create_engine("sqlite://")
called = []

for event, target in ("begin", engine), ("commit", engine), ("checkout", engine.pool):
    sa.event.listen(target, event, lambda *args, e=event: called.append((e, "first")))
    sa.event.listen(
        target, event, lambda *args, e=event: called.append((e, "inserted")), insert=True
    )

with engine.begin():
    pass

print(f"SQLAlchemy {sa.__version__}: {called}")
assert called == [
    ("checkout", "inserted"),
    ("checkout", "first"),
    ("begin", "first"),
    ("begin", "inserted"),
    ("commit", "first"),
    ("commit", "inserted"),
], called
PYTHON
done
