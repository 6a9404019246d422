#!/usr/bin/env bash
# MariaDB 10.11: a server that starts removes the temporary tables of all servers that have
# the same tmpdir, which is /tmp if nothing is set: the files whose names begin with "#sql".
# The other servers go on, and say that a table does not exist which their session has.
#
# Seen: a session of server A has a temporary Aria table with a row. Server B is started
# with another data directory and port, and the same tmpdir. The files of the table are
# gone, and DROP TEMPORARY TABLE in the session of A fails with error 1051.
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
shared = folder / "tmp"
shared.mkdir()
processes = []


def start(name):
    """Start a server without system tables, and return a connection to it."""
    data = folder / name
    data.mkdir()

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]

    options = {
        "datadir": data,
        "tmpdir": shared,
        "socket": folder / f"{name}.sock",
        "pid-file": folder / f"{name}.pid",
        "port": port,
        "bind-address": "127.0.0.1",
        "user": "root",
    }
    command = [program, "--no-defaults", "--skip-grant-tables", "--skip-networking=0"]
    command += [f"--{key}={value}" for key, value in options.items()]
    quiet = subprocess.DEVNULL
    processes.append(
        subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)
    )

    for _ in range(600):
        try:
            return pymysql.connect(host="127.0.0.1", port=port)
        except pymysql.OperationalError:
            time.sleep(0.1)

    raise SystemExit("The server did not start.")


try:
    with start("a").cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        version = cursor.fetchone()[0]
        cursor.execute("CREATE DATABASE d")
        cursor.execute("CREATE TEMPORARY TABLE d.t (id INT) ENGINE=Aria")
        cursor.execute("INSERT INTO d.t VALUES (1)")
        before = sorted(path.suffix for path in shared.glob("#sql*"))
        start("b").close()
        after = [*shared.glob("#sql*")]

        try:
            cursor.execute("DROP TEMPORARY TABLE d.t")
            code = 0
        except pymysql.OperationalError as error:
            code = error.args[0]
finally:
    for process in processes:
        process.terminate()
        process.wait()

print(f"MariaDB {version}: files before: {before}, after: {after}; error {code}")
assert before and not after and code == 1051, (before, after, code)
PYTHON
