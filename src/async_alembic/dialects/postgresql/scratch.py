"""Databases beside the one of a connection."""

from __future__ import annotations

import sqlalchemy as sa

#: Settings of ``ALTER DATABASE ... SET``, such as the search path.
_settings = sa.text(
    "SELECT split_part(setting, '=', 1), substr(setting, strpos(setting, '=') + 1)"
    " FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase"
    " CROSS JOIN unnest(s.setconfig) AS setting"
    " WHERE d.datname = current_database() AND s.setrole = 0"
)
_set = sa.text("SELECT set_config(:name, :value, false)").bindparams(
    sa.bindparam("name", type_=sa.String), sa.bindparam("value", type_=sa.String)
)


def create_database(connection: sa.Connection, name: str) -> None:
    """Create an empty database with the settings of the connection's.

    :param connection: A connection in autocommit mode.
    """
    quote = connection.dialect.identifier_preparer.quote_identifier
    connection.exec_driver_sql(f"CREATE DATABASE {quote(name)}")

    for setting, value in connection.execute(_settings).all():
        # FROM CURRENT, as a value would need quoting that depends on the setting.
        connection.execute(_set, {"name": setting, "value": value})
        connection.exec_driver_sql(
            f"ALTER DATABASE {quote(name)} SET {quote(setting)} FROM CURRENT"
        )


def drop_database(connection: sa.Connection, name: str) -> None:
    """Drop a database, whoever is connected to it."""
    quoted = connection.dialect.identifier_preparer.quote_identifier(name)
    connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {quoted} WITH (FORCE)")
