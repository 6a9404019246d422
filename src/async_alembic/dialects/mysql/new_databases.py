from __future__ import annotations

import sqlalchemy as sa

from ..new_databases import NewDatabases

_find = sa.text("SELECT 1 FROM information_schema.schemata WHERE schema_name = :name")


class MySQLDatabases(NewDatabases):
    privileges: str = "CREATE and DROP, as in GRANT ALL ON `async_alembic_scratch_%`.*"

    def exists(self, connection: sa.Connection, database: str) -> bool:
        return connection.scalar(_find, {"name": database}) is not None

    def create(self, connection: sa.Connection, name: str) -> str:
        row = connection.exec_driver_sql(
            "SELECT @@character_set_database, @@collation_database"
        ).one()
        connection.exec_driver_sql(
            f"CREATE DATABASE `{name}` CHARACTER SET {row[0]} COLLATE {row[1]}"
        )
        return name

    def drop(self, connection: sa.Connection, database: str) -> None:
        # DROP DATABASE IF EXISTS needs the privilege also if there is none.
        if self.exists(connection, database):
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS `{database}`")
