"""Databases that are created beside the one of a connection."""

from __future__ import annotations

import typing as t

from ..errors import ConfigurationError

if t.TYPE_CHECKING:
    import sqlalchemy as sa


class NewDatabases:
    """Creates databases beside the one of a connection, which is in autocommit mode."""

    #: The privileges that creating and dropping takes.
    privileges: str = "to create databases"

    def exists(self, connection: sa.Connection, database: str) -> bool:
        """Return whether there is a database, as far as that is known.

        :param database: What stands for it in a URL.
        """
        return False

    def create(self, connection: sa.Connection, name: str) -> str:
        """Create an empty database.

        :param name: A name that no other database has.
        :return: What stands for it in a URL.
        """
        raise ConfigurationError(
            f"No scratch copy of a database of '{connection.dialect.name}' can be made."
            " Plan without a trace."
        )

    def drop(self, connection: sa.Connection, database: str) -> None:
        """Drop a database that :meth:`create` has created."""

    def copy(self, connection: sa.Connection, source: str, database: str) -> None:
        """Create a database as a copy of another one.

        :param connection: A connection to the dialect's maintenance database, if it has
            one, and to the original otherwise.
        :param source: What stands for the original in a URL.
        :param database: What stands for the copy in a URL.
        :raises ConfigurationError: If it cannot be copied.
        """
        raise ConfigurationError(
            f"A database of '{connection.dialect.name}' cannot be copied. Leave"
            " 'template' out: all revisions are applied."
        )
