from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ...errors import ConfigurationError
from ..new_databases import NewDatabases
from ..verbatim import execute_verbatim
from ..verbatim import quoted_verbatim
from .sqlstates import sqlstate

#: "object_in_use" (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_IN_USE = "55006"

_find = sa.text("SELECT 1 FROM pg_database WHERE datname = :database").bindparams(
    sa.bindparam("database", type_=sa.String)
)
#: Settings of ``ALTER DATABASE ... SET``, such as the search path.
_settings = sa.text(
    "SELECT split_part(setting, '=', 1), substr(setting, strpos(setting, '=') + 1)"
    " FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase"
    " CROSS JOIN unnest(s.setconfig) AS setting"
    " WHERE d.datname = coalesce(:database, current_database()) AND s.setrole = 0"
).bindparams(sa.bindparam("database", type_=sa.String))
_set = sa.text("SELECT set_config(:name, :value, false)").bindparams(
    sa.bindparam("name", type_=sa.String), sa.bindparam("value", type_=sa.String)
)


class PostgreSQLDatabases(NewDatabases):
    privileges: str = "CREATEDB"

    def exists(self, connection: sa.Connection, database: str) -> bool:
        return connection.scalar(_find, {"database": database}) is not None

    def create(self, connection: sa.Connection, name: str) -> str:
        quoted = quoted_verbatim(connection, name)
        execute_verbatim(connection, f"CREATE DATABASE {quoted}")
        _copy_settings(connection, None, name)
        return name

    def drop(self, connection: sa.Connection, database: str) -> None:
        quoted = quoted_verbatim(connection, database)
        # Whoever is connected to it.
        execute_verbatim(connection, f"DROP DATABASE IF EXISTS {quoted} WITH (FORCE)")

    def copy(self, connection: sa.Connection, source: str, database: str) -> None:
        try:
            execute_verbatim(
                connection,
                f"CREATE DATABASE {quoted_verbatim(connection, database)}"
                f" TEMPLATE {quoted_verbatim(connection, source)}",
            )
        except DBAPIError as e:
            if sqlstate(e.orig) != _IN_USE:
                raise

            raise ConfigurationError(
                f"The database '{source}' cannot be copied while others are connected"
                " to it. Use a template that nobody works with."
            ) from e

        _copy_settings(connection, source, database)


def _copy_settings(
    connection: sa.Connection, source: str | None, database: str
) -> None:
    """Copy the settings of a database, which no copy of it has.

    :param source: The original; by default, that of the connection.
    """
    for name, value in connection.execute(_settings, {"database": source}).all():
        # FROM CURRENT, as a value would need quoting that depends on the setting.
        connection.execute(_set, {"name": name, "value": value})
        execute_verbatim(
            connection,
            f"ALTER DATABASE {quoted_verbatim(connection, database)}"
            f" SET {quoted_verbatim(connection, name)} FROM CURRENT",
        )
