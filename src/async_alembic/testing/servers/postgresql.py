from __future__ import annotations

import time
import typing as t

from ...errors import FreshDatabaseError
from ..server_connection import ServerConnection
from .base import PREFIX
from .base import Server

if t.TYPE_CHECKING:
    import sqlalchemy as sa

#: The first keys of the advisory locks. The second key is the run, or 0.
_RUN_LOCKS = 1634497390
_TEMPLATE_LOCKS = 1634497391
#: How many copies to make with each strategy before choosing the fastest.
_TRIALS = 2
#: How many times to check whether the sessions of a database have ended.
_SESSION_CHECKS = 50
#: Seconds between two checks.
_SESSION_CHECK_INTERVAL = 0.005


class PostgreSQLServer(Server):
    """Copies with ``CREATE DATABASE ... TEMPLATE``
    (https://www.postgresql.org/docs/current/manage-ag-templatedbs.html).

    ``pg_locks`` shows the advisory locks of all databases, so processes of a run may
    connect to different ones.
    """

    def open(self) -> None:
        self._connection = ServerConnection(self.url)
        self._copy_times: dict[str, list[float]] = {"": []}
        self._database_settings: dict[str, list[tuple[str, str]]] = {}
        self._refuse_database_with_tables()
        self._connection.execute(
            "SELECT set_config(name, '0', false) FROM pg_settings"
            " WHERE name IN ('idle_session_timeout', 'statement_timeout')"
        )
        self._connection.execute(
            f"SELECT pg_advisory_lock_shared({_RUN_LOCKS}, {_signed_int(self.run)})"
        )

        [(version,)] = self._connection.execute("SHOW server_version_num")

        if int(version) >= 150000:
            self._copy_times = {" STRATEGY FILE_COPY": [], " STRATEGY WAL_LOG": []}

    def _refuse_database_with_tables(self) -> None:
        [(name, tables)] = self._connection.execute(
            "SELECT current_database(), (SELECT count(*) FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')"
            " AND n.nspname NOT IN ('information_schema', 'pg_catalog'))"
        )

        if tables and name != "postgres" and not name.startswith(PREFIX):
            self._connection.close()
            raise FreshDatabaseError.not_empty(name)

    def release_run_lock(self) -> None:
        self._connection.execute(
            f"SELECT pg_advisory_unlock_shared({_RUN_LOCKS}, {_signed_int(self.run)})"
        )

    def close(self) -> None:
        self._connection.close()

    def try_template_lock(self) -> bool:
        # pg_advisory_lock() would hold a snapshot while waiting.
        [(taken,)] = self._connection.execute(
            f"SELECT pg_try_advisory_lock({_TEMPLATE_LOCKS}, 0)"
        )
        return bool(taken)

    def release_template_lock(self) -> None:
        self._connection.execute(f"SELECT pg_advisory_unlock({_TEMPLATE_LOCKS}, 0)")

    def is_alive(self, run: str) -> bool:
        [(holders,)] = self._connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
            f" AND objsubid = 2 AND classid = {_RUN_LOCKS} AND objid = {int(run, 16)}"
        )
        return bool(holders)

    def version(self) -> str:
        [(version,)] = self._connection.execute("SHOW server_version")
        return f"PostgreSQL {version}"

    def url_of(self, name: str) -> sa.URL:
        return self.url.set(database=name)

    def database_names(self) -> list[str]:
        rows = self._connection.execute(
            "SELECT datname FROM pg_database"
            f" WHERE left(datname, {len(PREFIX)}) = '{PREFIX}'"
        )
        return [name for (name,) in rows]

    def create(self, name: str) -> None:
        self._connection.execute(f"CREATE DATABASE {_quote(name)}")

    def drop(self, name: str) -> None:
        # WITH (FORCE) checks only every 100 ms whether the sessions have ended.
        for _ in range(_SESSION_CHECKS):
            if not self._terminate_sessions(name):
                break

            time.sleep(_SESSION_CHECK_INTERVAL)

        self._connection.execute(f"DROP DATABASE IF EXISTS {_quote(name)} WITH (FORCE)")

    def _terminate_sessions(self, name: str) -> bool:
        """Terminate the sessions of a database. Return whether there were any."""
        return bool(
            self._connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = :name",
                name=name,
            )
        )

    def has_template(self, name: str) -> bool:
        return bool(
            self._connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = :name", name=name
            )
        )

    def publish(self, source: str, template: str) -> None:
        # A database that has connections cannot be copied.
        alter = f"ALTER DATABASE {_quote(source)}"
        self._connection.execute(f"{alter} ALLOW_CONNECTIONS false")
        self._terminate_sessions(source)
        self._connection.execute(f"{alter} RENAME TO {_quote(template)}")

    def copy(self, template: str, name: str) -> None:
        strategy = self._next_strategy()
        begin = time.perf_counter()
        self._connection.execute(
            f"CREATE DATABASE {_quote(name)} TEMPLATE {_quote(template)}{strategy}"
        )
        self._copy_times[strategy].append(time.perf_counter() - begin)

        for setting, value in self._settings_of(template):
            # FROM CURRENT, as a value would need quoting that depends on the setting.
            self._connection.execute(
                "SELECT set_config(:setting, :value, false)",
                setting=setting,
                value=value,
            )
            self._connection.execute(
                f"ALTER DATABASE {_quote(name)} SET {_quote(setting)} FROM CURRENT"
            )
            self._connection.execute(f"RESET {_quote(setting)}")

    def _next_strategy(self) -> str:
        """Return each strategy for the first copies, then the fastest one.

        Which is fastest depends on the disk, the settings and the size of the template.
        """
        for strategy, times in self._copy_times.items():
            if len(times) < _TRIALS:
                return strategy

        return min(
            self._copy_times, key=lambda strategy: min(self._copy_times[strategy])
        )

    def _settings_of(self, template: str) -> list[tuple[str, str]]:
        """Return the settings of ``ALTER DATABASE ... SET``, which are not copied."""
        if template not in self._database_settings:
            rows = self._connection.execute(
                "SELECT split_part(setting, '=', 1),"
                " substr(setting, strpos(setting, '=') + 1)"
                " FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase"
                " CROSS JOIN unnest(s.setconfig) AS setting"
                " WHERE d.datname = :template AND s.setrole = 0",
                template=template,
            )
            self._database_settings[template] = [(name, value) for name, value in rows]

        return self._database_settings[template]


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _signed_int(run: str) -> int:
    """Return the advisory lock key of a run. In ``pg_locks``, it is unsigned."""
    return int.from_bytes(bytes.fromhex(run), signed=True)
