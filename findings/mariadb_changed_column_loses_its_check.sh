#!/usr/bin/env bash
# MariaDB 10.11 with Alembic 1.20.1 and SQLAlchemy 2.1.9: a CHECK in the definition of a column is
# lost when ALTER TABLE ... MODIFY or CHANGE does not repeat it. op.alter_column() writes these for
# another type, nullability, name or comment, and has no argument for the check. SQLAlchemy does not
# reflect such a check, so no comparison reports that it is gone.
#
# A CheckConstraint that is an argument of a Column becomes such a check, and the server itself adds
# json_valid() to a JSON column. A check of the table stays. So does the check of a column if only
# the default changes, as that is no MODIFY.
#
# Seen in SHOW CREATE TABLE, after the revision that autogenerate writes for x and j that become
# NOT NULL: CHECK (x > 0) and json_valid(j) are gone, and the table accepts -1 and a text that is no
# JSON. After another name, comment or type, CHECK (x > 0) is gone, too. A comparison finds nothing,
# also with the plugin "alembic.ext.checkconstraint_byname".
#
# Needs Debian's package mariadb-server-core.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check alembic==1.20.1 \
    sqlalchemy==2.1.9 pymysql==1.2.4
timeout 120 "$folder/venv/bin/python" - "$folder" <<'PYTHON'
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.autogenerate import produce_migrations
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

folder = Path(sys.argv[1])
program = shutil.which("mariadbd", path="/usr/sbin:/usr/bin") or sys.exit("no mariadbd")
PLUGINS = ["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"]
CHECKS = "CHECK (`x` > 0)", "CHECK (json_valid(`j`))", "CHECK (`x` < 100)"

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
url = f"mysql+pymysql://root@127.0.0.1:{port}"


def connect(database):
    engine = sa.create_engine(url + database)

    for _ in range(600):
        try:
            return engine.connect()
        except sa.exc.OperationalError:
            time.sleep(0.1)

    raise SystemExit("The server did not start.")


def models(nullable):
    metadata = sa.MetaData()
    sa.Table(
        "t",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("x", sa.Integer, sa.CheckConstraint("x > 0"), nullable=nullable),
        sa.Column("j", sa.JSON, nullable=nullable),
        sa.CheckConstraint("x < 100", name="small"),
    )
    return metadata


def look(connection):
    """Return which of the checks are there."""
    _, definition = connection.exec_driver_sql("SHOW CREATE TABLE t").one()
    return [check for check in CHECKS if check in definition]


def change(connection, **arguments):
    """Return the checks that are there after a change of a column in a new table."""
    connection.exec_driver_sql("DROP TABLE IF EXISTS t")
    models(nullable=True).create_all(connection)
    op = Operations(MigrationContext.configure(connection))
    op.alter_column("t", "x", existing_type=sa.Integer, **arguments)
    _, definition = connection.exec_driver_sql("SHOW CREATE TABLE t").one()
    return "> 0)" in definition, "< 100)" in definition


try:
    with connect("") as connection:
        version = connection.exec_driver_sql("SELECT VERSION()").scalar()
        connection.exec_driver_sql("CREATE DATABASE d")

    with connect("/d") as connection:
        seen = {
            "name": change(connection, new_column_name="y"),
            "comment": change(connection, comment="a"),
            "type": change(connection, type_=sa.BigInteger),
            "default": change(connection, server_default="1"),
        }
        connection.exec_driver_sql("DROP TABLE t")
        models(nullable=True).create_all(connection)
        opts = {"autogenerate_plugins": PLUGINS}
        context = MigrationContext.configure(connection, opts=opts)
        op = Operations(context)
        before = look(connection)
        reflected = sa.inspect(connection).get_check_constraints("t")

        for table_ops in produce_migrations(context, models(nullable=False)).upgrade_ops.ops:
            for operation in table_ops.ops:
                op.invoke(operation)

        after = look(connection)
        differences = compare_metadata(context, models(nullable=False))
        connection.exec_driver_sql("INSERT INTO t (x, j) VALUES (-1, 'none')")
        row = connection.exec_driver_sql("SELECT x, j FROM t").one()
finally:
    process.terminate()
    process.wait()

print(f"MariaDB {version}: checks of the column and of the table, after a change of its")
print(*[f"{argument}: {checks}" for argument, checks in seen.items()], sep="\n")
print("Before the revision:", *before)
print("After the revision:", *after, "row:", row, "differences:", differences)
print("Reflected before the revision:", reflected)
assert seen == {
    "name": (False, True),
    "comment": (False, True),
    "type": (False, True),
    "default": (True, True),
}, seen
assert before == [*CHECKS], before
assert after == [CHECKS[2]], after
assert [check["name"] for check in reflected] == ["small"], reflected
assert (tuple(row), differences) == ((-1, "none"), []), (row, differences)
PYTHON
