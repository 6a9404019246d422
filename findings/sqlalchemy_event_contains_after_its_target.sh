#!/usr/bin/env bash
# SQLAlchemy 2.0.31 and 2.1.9: event.contains(target, name, fn) can be true for a target
# that nobody has listened to. It looks up the id() of the target, and the entry of an
# earlier target outlives that target as long as something holds its dispatch, as a copy
# does. A new object can get the same id.
#
# Seen: of 1,000 dialects, made one after another, of which each is gone before the next
# one is made, at least one is said to have the listener, which is not called for it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

for version in 2.0.31 2.1.9; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet --disable-pip-version-check "sqlalchemy==$version"
    "$folder/$version/bin/python" - <<'PYTHON'
import gc

import sqlalchemy as sa

calls = []
kept = []
wrong = None


def listener(*args):
    calls.append(args)


for number in range(1_000):
    engine = sa.create_engine("sqlite://")

    if sa.event.contains(engine.dialect, "do_connect", listener):
        wrong = number
        break

    sa.event.listen(engine.dialect, "do_connect", listener)
    kept.append(engine.dialect.dispatch)
    del engine
    gc.collect()

assert wrong is not None, "contains() is always right"
engine.connect().close()
print(f"SQLAlchemy {sa.__version__}: contains() is wrong for dialect {wrong}")
assert not calls, calls
PYTHON
done
