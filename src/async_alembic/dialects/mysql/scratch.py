"""Databases beside the one of a connection."""

from __future__ import annotations

import sqlalchemy as sa


def create_database(connection: sa.Connection, name: str) -> None:
    """Create an empty database with the defaults of the connection's."""
    row = connection.exec_driver_sql(
        "SELECT @@character_set_database, @@collation_database"
    ).one()
    connection.exec_driver_sql(
        f"CREATE DATABASE `{name}` CHARACTER SET {row[0]} COLLATE {row[1]}"
    )


def drop_database(connection: sa.Connection, name: str) -> None:
    """Drop a database."""
    connection.exec_driver_sql(f"DROP DATABASE IF EXISTS `{name}`")
