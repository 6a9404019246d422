#!/usr/bin/env bash
# Alembic 1.16.5 and 1.20.1 on MariaDB and PostgreSQL: op.add_column(..., if_not_exists=True)
# leaves a column alone that exists, but adds its foreign key again, under another name. So
# each run of a revision that is meant to be repeatable adds one more, without an error.
# 'op.create_table(..., if_not_exists=True)' fails if a column has index=True and the table
# exists, as the index is created without a condition.
#
# Seen in the statements: ADD COLUMN IF NOT EXISTS, then ADD FOREIGN KEY; CREATE TABLE IF NOT
# EXISTS, then CREATE INDEX. On MariaDB 10.11, information_schema has two foreign keys after
# two runs, and the second CREATE TABLE ends with error 1061.
#
# Needs Debian's package mariadb-server-core.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

for version in 1.16.5 1.20.1; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet --disable-pip-version-check "alembic==$version" \
        sqlalchemy==2.1.9 pymysql==1.2.4
    timeout 120 "$folder/$version/bin/python" - "$folder/$version" <<'PYTHON'
import io
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import alembic
import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

folder = Path(sys.argv[1])
program = shutil.which("mariadbd", path="/usr/sbin:/usr/bin") or sys.exit("no mariadbd")


def upgrade(op):
    owner = sa.Column("owner_id", sa.Integer, sa.ForeignKey("owner.id"))
    op.add_column("item", owner, if_not_exists=True)
    op.create_table(
        "note", sa.Column("day", sa.Integer, index=True), if_not_exists=True
    )


output = io.StringIO()
opts = {"as_sql": True, "output_buffer": output}
upgrade(Operations(MigrationContext.configure(dialect_name="postgresql", opts=opts)))
script = [" ".join(line.split()) for line in output.getvalue().strip().split(";\n\n")]
print(f"Alembic {alembic.__version__}, PostgreSQL:", *script, sep="\n  ")
assert script[0].startswith("ALTER TABLE item ADD COLUMN IF NOT EXISTS owner_id"), script
assert script[1].startswith("ALTER TABLE item ADD FOREIGN KEY(owner_id)"), script
assert script[2].startswith("CREATE TABLE IF NOT EXISTS note"), script
assert script[3].startswith("CREATE INDEX ix_note_day"), script

with socket.create_server(("127.0.0.1", 0)) as probe:
    port = probe.getsockname()[1]

(folder / "data").mkdir()
options = {
    "datadir": folder / "data",
    "tmpdir": folder,
    "socket": folder / "sock",
    "pid-file": folder / "pid",
    "port": port,
    "bind-address": "127.0.0.1",
    "user": "root",
}
command = [program, "--no-defaults", "--skip-grant-tables", "--skip-networking=0"]
command += [f"--{key}={value}" for key, value in options.items()]
quiet = subprocess.DEVNULL
process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)
engine = sa.create_engine(f"mysql+pymysql://root@127.0.0.1:{port}")


def connect():
    for _ in range(600):
        try:
            return engine.connect()
        except sa.exc.OperationalError:
            time.sleep(0.1)

    raise SystemExit("The server did not start.")


try:
    with connect() as connection:
        for statement in (
            "CREATE DATABASE d",
            "USE d",
            "CREATE TABLE owner (id INT PRIMARY KEY)",
            "CREATE TABLE item (id INT PRIMARY KEY)",
        ):
            connection.exec_driver_sql(statement)

        op = Operations(MigrationContext.configure(connection))
        upgrade(op)

        try:
            upgrade(op)
        except sa.exc.OperationalError as e:
            error = e.orig.args

        query = "SELECT constraint_name FROM information_schema.referential_constraints"
        keys = connection.exec_driver_sql(query).scalars().all()
        version = connection.exec_driver_sql("SELECT VERSION()").scalar()
finally:
    process.terminate()
    process.wait()

print(f"  MariaDB {version}: foreign keys {sorted(keys)}; {error}")
assert len(keys) == 2, keys
assert error[0] == 1061, error
PYTHON
done
