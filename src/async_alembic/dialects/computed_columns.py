"""How a database computes columns."""

from __future__ import annotations

import contextlib
import typing as t

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

if t.TYPE_CHECKING:
    import collections.abc as c

#: The temporary table of :func:`text_of_server`.
TABLE: str = "async_alembic_computed"


class ComputedColumns:
    """What comparisons need to know of computed columns."""

    #: Whether it depends on versions if they are stored by default.
    depends_on_version: bool = False
    #: Whether they can be altered otherwise, as to another type.
    can_be_altered: bool = True
    #: What makes one a plain column, where it is a statement of its own.
    drop_expression: str | None = None

    def are_stored(self, dialect: sa.Dialect) -> bool:
        """Return whether they are stored by default.

        :param dialect: The dialect of a connection.
        """
        return False

    def can_keep_values(self, dialect: sa.Dialect, persisted: bool) -> bool:
        """Return whether one that becomes a plain column keeps its values.

        :param dialect: The dialect of a connection.
        :param persisted: Whether it is stored.
        """
        return False

    def is_same(
        self, connection: sa.Connection, column: sa.Column[t.Any], new: str, found: str
    ) -> bool | None:
        """Return whether two expressions are the same that are written differently.

        :param connection: A connection to the database.
        :param column: The computed column that is there, in its table.
        :param new: The expression of the model.
        :param found: That of the database.
        :return: ``None`` if that is unknown.
        """
        return None


def text_of_server(
    connection: sa.Connection, column: sa.Column[t.Any], text: str
) -> str | None:
    """Return an expression as the server shows it, of a temporary table.

    :param connection: A connection to the database.
    :param column: The computed column that is there, in its table.
    :param text: The expression.
    :return: ``None`` if the server makes no such table.
    """
    computed = sa.Computed(sa.literal_column(text), persisted=True)
    columns = [
        sa.Column(item.name, item.type, *([computed] if item is column else []))
        for item in column.table.columns
        # One may be computed from it, but not from another computed one.
        if item is column or item.computed is None
    ]
    table = sa.Table(TABLE, sa.MetaData(), *columns, prefixes=["TEMPORARY"])

    with contextlib.suppress(DBAPIError), _rolled_back(connection):
        table.create(connection, checkfirst=False)

        for info in sa.inspect(connection).get_columns(TABLE):
            if info["name"] == column.name and "computed" in info:
                return info["computed"]["sqltext"]

    return None


@contextlib.contextmanager
def _rolled_back(connection: sa.Connection) -> c.Iterator[None]:
    savepoint = connection.begin_nested()

    try:
        yield
    finally:
        savepoint.rollback()
