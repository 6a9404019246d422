#!/usr/bin/env bash
# pytest-alembic 0.13.1 with pytest 9.2.0: where there is a 'tests/conftest.py', every run ends with
# an AttributeError while tests are collected, as pytest no longer has the private attribute
# that the plugin changes there. Without that file, its tests run if they are imported.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    "pytest-alembic==0.13.1" "pytest==9.2.0" "alembic==1.20.1" "sqlalchemy==2.1.9"
cd "$folder"
venv/bin/alembic --quiet init migrations >/dev/null
venv/bin/alembic --quiet revision -m one >/dev/null
mkdir tests
echo "from pytest_alembic.tests import test_single_head_revision" >tests/test_imported.py
venv/bin/pytest -q tests

touch tests/conftest.py

if output=$(venv/bin/pytest -q tests 2>&1); then
    echo "It runs now."
    exit 1
fi

echo "$output" | grep "^E .*AttributeError: 'TestCollector' object has no attribute '_nodeid'"
