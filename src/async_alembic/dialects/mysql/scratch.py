"""Databases beside the one of a connection."""

from __future__ import annotations

import sqlalchemy as sa

_find = sa.text("SELECT 1 FROM information_schema.schemata WHERE schema_name = :name")


def create_database(connection: sa.Connection, name: str) -> None:
    """Create an empty database with the defaults of the connection's."""
    row = connection.exec_driver_sql(
        "SELECT @@character_set_database, @@collation_database"
    ).one()
    connection.exec_driver_sql(
        f"CREATE DATABASE `{name}` CHARACTER SET {row[0]} COLLATE {row[1]}"
    )


def drop_database(connection: sa.Connection, name: str) -> None:
    """Drop a database, if there is one."""
    # DROP DATABASE IF EXISTS needs the privilege also if there is none.
    if connection.execute(_find, {"name": name}).first():
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS `{name}`")
