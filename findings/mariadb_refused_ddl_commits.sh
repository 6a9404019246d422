#!/usr/bin/env bash
# MariaDB 10.11: a statement that changes a table or an account commits the open transaction
# before it begins, also if it is then refused, or has nothing to do. A later ROLLBACK undoes
# nothing of what came before it.
#
# Seen: a row is inserted in a transaction, then a statement is executed, then ROLLBACK. The
# row stays after CREATE TABLE of a table that exists (error 1050), DROP TABLE of one that
# does not (1051), ALTER TABLE ... ADD COLUMN IF NOT EXISTS of a column that exists (no error),
# and a GRANT that the user may not do (1142 or 1290). It is rolled back if the statement
# cannot be parsed (1064), or names a type that does not exist (4161).
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
#: Statements, and whether the row that was inserted before them stays.
STATEMENTS = {
    "CREATE TABLE d.t (y INT)": True,
    "DROP TABLE d.missing": True,
    "ALTER TABLE d.t ADD COLUMN IF NOT EXISTS x INT": True,
    "GRANT SELECT ON d.t TO somebody": True,
    "CREATE TABLE d.u (x INT": False,
    "CREATE TABLE d.u (x NOTYPE)": False,
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
            return pymysql.connect(host="127.0.0.1", port=port)
        except pymysql.OperationalError:
            time.sleep(0.1)

    raise SystemExit("The server did not start.")


try:
    connection = connect()
    cursor = connection.cursor()
    cursor.execute("SELECT VERSION()")
    version = cursor.fetchone()[0]
    cursor.execute("CREATE DATABASE d")
    cursor.execute("CREATE TABLE d.t (x INT) ENGINE=InnoDB")
    seen = {}

    for statement in STATEMENTS:
        cursor.execute("DELETE FROM d.t")
        connection.commit()
        cursor.execute("INSERT INTO d.t VALUES (1)")

        try:
            cursor.execute(statement)
            code = None
        except pymysql.Error as error:
            code = error.args[0]

        connection.rollback()
        cursor.execute("SELECT COUNT(*) FROM d.t")
        seen[statement] = bool(cursor.fetchone()[0])
        print(f"MariaDB {version}: {statement}: error {code}, stays: {seen[statement]}")
finally:
    process.terminate()
    process.wait()

assert seen == STATEMENTS, seen
PYTHON
