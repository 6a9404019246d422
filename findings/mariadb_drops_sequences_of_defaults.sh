#!/usr/bin/env bash
# MariaDB 10.11: DROP SEQUENCE drops a sequence that the default of a column takes its values
# from. Afterwards the table accepts no row, even one that has a value for the column, and no
# ALTER TABLE of another column and no index.
#
# Seen with DEFAULT NEXTVAL(s): DROP SEQUENCE s succeeds. SELECT and UPDATE work. INSERT without
# and with the column, ALTER TABLE ... ADD COLUMN and CREATE INDEX fail with error 1146, "Table
# 'd.s' doesn't exist". ALTER TABLE ... ALTER COLUMN ... DROP DEFAULT is accepted, and repairs
# the table.
#
# Needs Debian's package mariadb-server-core.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pymysql==1.2.4
timeout 120 "$folder/venv/bin/python" - "$folder" <<'PYTHON'
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pymysql

folder = Path(sys.argv[1])
program = shutil.which("mariadbd", path="/usr/sbin:/usr/bin") or sys.exit("no mariadbd")
#: Statements in their order, and the error of each.
STATEMENTS = {
    "CREATE SEQUENCE s": None,
    "CREATE TABLE t (id INT DEFAULT NEXTVAL(s), name VARCHAR(9))": None,
    "INSERT INTO t (name) VALUES ('a')": None,
    "DROP SEQUENCE s": None,
    "SELECT * FROM t": None,
    "INSERT INTO t (name) VALUES ('b')": 1146,
    "INSERT INTO t (id, name) VALUES (2, 'b')": 1146,
    "UPDATE t SET name = 'b'": None,
    "ALTER TABLE t ADD COLUMN x INT": 1146,
    "CREATE INDEX i ON t (name)": 1146,
    "ALTER TABLE t ALTER COLUMN id DROP DEFAULT": None,
    "INSERT INTO t (id, name) VALUES (3, 'b')": None,
}

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


def connect():
    for _ in range(600):
        try:
            return pymysql.connect(host="127.0.0.1", port=port, autocommit=True)
        except pymysql.OperationalError:
            time.sleep(0.1)

    raise SystemExit("The server did not start.")


try:
    cursor = connect().cursor()
    cursor.execute("SELECT VERSION()")
    print("MariaDB", cursor.fetchone()[0])
    cursor.execute("CREATE DATABASE d")
    cursor.execute("USE d")
    seen = {}

    for statement in STATEMENTS:
        try:
            cursor.execute(statement)
            seen[statement] = None
        except pymysql.Error as error:
            seen[statement] = error.args[0]

        print(f"{statement}: {seen[statement] or 'ok'}")
finally:
    process.terminate()
    process.wait()

assert seen == STATEMENTS, seen
PYTHON
