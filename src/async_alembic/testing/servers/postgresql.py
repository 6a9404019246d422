from __future__ import annotations

import time
import typing as t

from ...errors import FreshDatabaseError
from ..server_connection import ServerConnection
from .base import PREFIX
from .base import Server

if t.TYPE_CHECKING:
    import sqlalchemy as sa

#: Advisory locks of two numbers: which kind of lock, and which one of these.
_RUNS = 1634497390
_TEMPLATES = 1634497391
#: How many copies each strategy is tried with.
_TRIES = 2
#: How often, and after how many seconds, to look whether a session has ended.
_LOOKS = 50
_PAUSE = 0.005


class PostgreSQLServer(Server):
    """Copies with ``CREATE DATABASE ... TEMPLATE``
    (https://www.postgresql.org/docs/current/manage-ag-templatedbs.html).

    Who has a run's advisory lock is seen from every database of the server in
    ``pg_locks``, so that it does not matter which one the URL names.
    """

    def open(self) -> None:
        self._connection = ServerConnection(self.url)
        self._seconds: dict[str, list[float]] = {"": []}
        self._settings: dict[str, list[tuple[str, str]]] = {}
        self._refuse_others()
        self._connection.execute(
            "SELECT set_config(name, '0', false) FROM pg_settings"
            " WHERE name IN ('idle_session_timeout', 'statement_timeout')"
        )
        self._connection.execute(
            f"SELECT pg_advisory_lock_shared({_RUNS}, {_signed(self.run)})"
        )

        [(version,)] = self._connection.execute("SHOW server_version_num")

        if int(version) >= 150000:
            self._seconds = {" STRATEGY FILE_COPY": [], " STRATEGY WAL_LOG": []}

    def _refuse_others(self) -> None:
        [(name, tables)] = self._connection.execute(
            "SELECT current_database(), (SELECT count(*) FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')"
            " AND n.nspname NOT IN ('information_schema', 'pg_catalog'))"
        )

        if tables and name != "postgres" and not name.startswith(PREFIX):
            self._connection.close()
            raise FreshDatabaseError.not_empty(name)

    def leave(self) -> None:
        self._connection.execute(
            f"SELECT pg_advisory_unlock_shared({_RUNS}, {_signed(self.run)})"
        )

    def close(self) -> None:
        self._connection.close()

    def try_lock(self) -> bool:
        # Not waited for in the server: a waiter holds a snapshot.
        [(taken,)] = self._connection.execute(
            f"SELECT pg_try_advisory_lock({_TEMPLATES}, 0)"
        )
        return bool(taken)

    def unlock(self) -> None:
        self._connection.execute(f"SELECT pg_advisory_unlock({_TEMPLATES}, 0)")

    def is_alive(self, run: str) -> bool:
        [(holders,)] = self._connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
            f" AND objsubid = 2 AND classid = {_RUNS} AND objid = {int(run, 16)}"
        )
        return bool(holders)

    def version(self) -> str:
        [(version,)] = self._connection.execute("SHOW server_version")
        return f"PostgreSQL {version}"

    def url_of(self, name: str) -> sa.URL:
        return self.url.set(database=name)

    def names(self) -> list[str]:
        rows = self._connection.execute(
            "SELECT datname FROM pg_database"
            f" WHERE left(datname, {len(PREFIX)}) = '{PREFIX}'"
        )
        return [name for (name,) in rows]

    def create(self, name: str) -> None:
        self._connection.execute(f'CREATE DATABASE "{name}"')

    def drop(self, name: str) -> None:
        # The server itself looks only every 100 ms whether those that it ends are gone.
        for _ in range(_LOOKS):
            if not self._end_sessions(name):
                break

            time.sleep(_PAUSE)

        self._connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _end_sessions(self, name: str) -> bool:
        """Whether there were any."""
        return bool(
            self._connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                f" WHERE datname = '{name}'"
            )
        )

    def has_template(self, name: str) -> bool:
        return bool(
            self._connection.execute(
                f"SELECT 1 FROM pg_database WHERE datname = '{name}'"
            )
        )

    def publish(self, built: str, template: str) -> None:
        # Whoever connects to a template keeps it from being copied.
        self._connection.execute(f'ALTER DATABASE "{built}" ALLOW_CONNECTIONS false')
        self._end_sessions(built)
        self._connection.execute(f'ALTER DATABASE "{built}" RENAME TO "{template}"')

    def copy(self, template: str, name: str) -> None:
        strategy = self._next_strategy()
        begin = time.perf_counter()
        self._connection.execute(
            f'CREATE DATABASE "{name}" TEMPLATE "{template}"{strategy}'
        )
        self._seconds[strategy].append(time.perf_counter() - begin)

        for setting, value in self._settings_of(template):
            # Only the server knows how it is to be quoted.
            self._connection.execute(
                "SELECT set_config(:setting, :value, false)",
                setting=setting,
                value=value,
            )
            self._connection.execute(
                f'ALTER DATABASE "{name}" SET {setting} FROM CURRENT'
            )
            self._connection.execute(f"RESET {setting}")

    def _next_strategy(self) -> str:
        """Each strategy is tried with the first copies; which one is fastest depends on
        the server's disk and settings, and on the size of the template.
        """
        for strategy, seconds in self._seconds.items():
            if len(seconds) < _TRIES:
                return strategy

        return min(self._seconds, key=lambda strategy: min(self._seconds[strategy]))

    def _settings_of(self, template: str) -> list[tuple[str, str]]:
        """What ``ALTER DATABASE ... SET`` has set, which is not copied."""
        if template not in self._settings:
            rows = self._connection.execute(
                "SELECT split_part(setting, '=', 1),"
                " substr(setting, strpos(setting, '=') + 1)"
                " FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase"
                " CROSS JOIN unnest(s.setconfig) AS setting"
                f" WHERE d.datname = '{template}' AND s.setrole = 0"
            )
            self._settings[template] = [(name, value) for name, value in rows]

        return self._settings[template]


def _signed(run: str) -> int:
    """A run's number as the server takes it; in ``pg_locks`` it is without a sign."""
    return int.from_bytes(bytes.fromhex(run), signed=True)
