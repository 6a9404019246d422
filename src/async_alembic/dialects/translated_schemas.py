"""Follows the ``schema_translate_map`` of an engine where SQLAlchemy does not: in
reflection, and in Alembic's ``ALTER TABLE``.
"""

from __future__ import annotations

import collections.abc as c
import functools
import inspect
import typing as t

import sqlalchemy as sa
from alembic.ddl.base import AlterTable
from sqlalchemy import event

#: The methods of a dialect that read a schema, by their beginning.
_READING = ("get_", "has_")


def translate_alterations(connection: sa.Connection) -> None:
    """Make a connection translate the schemas of Alembic's ``ALTER TABLE``, as
    SQLAlchemy does for all of its own statements.
    """
    schemas = schemas_of(connection)

    def translate(connection: sa.Connection, statement: t.Any, *args: object) -> None:
        if isinstance(statement, AlterTable):
            statement.schema = schemas.get(statement.schema, statement.schema)

    if schemas:
        event.listen(connection, "before_execute", translate)


def translate_reflection(inspector: sa.Inspector) -> None:
    """Make an inspector look into the translated schemas of its connection. In what it
    returns, the schemas have their own names.
    """
    schemas = schemas_of(t.cast("sa.Connection", inspector.bind))

    if schemas:
        inspector.dialect = t.cast("t.Any", _Dialect(inspector.dialect, schemas))


def schemas_of(connection: sa.Connection) -> c.Mapping[str | None, str | None]:
    """Return the real schemas of a connection, by their names in models."""
    return connection.get_execution_options().get("schema_translate_map") or {}


class _Dialect:
    """A dialect for reflection. Everything else is that of the real one.

    :param dialect: The real one.
    :param schemas: The real schemas, by their names in models.
    """

    def __init__(
        self, dialect: sa.Dialect, schemas: c.Mapping[str | None, str | None]
    ) -> None:
        self._dialect = dialect
        self._schemas = schemas
        self._names: dict[str | None, str | None] = {}

        for name, schema in schemas.items():
            # SQLAlchemy adds another name for None.
            self._names.setdefault(schema, name)

    def __getattr__(self, name: str) -> t.Any:
        value = getattr(self._dialect, name)

        if not name.startswith(_READING) or not callable(value):
            return value

        if "schema" not in (signature := inspect.signature(value)).parameters:
            return value

        @functools.wraps(value)
        def read(*args: t.Any, **kwargs: t.Any) -> t.Any:
            bound = signature.bind(*args, **kwargs)
            schema = bound.arguments.get("schema")
            bound.arguments["schema"] = self._schemas.get(schema, schema)
            found: t.Any = value(*bound.args, **bound.kwargs)

            if name.startswith("get_multi_"):
                return [
                    ((schema, table), self._renamed(data)) for (_, table), data in found
                ]

            return self._renamed(found)

        return read

    def _renamed(self, data: t.Any) -> t.Any:
        """Return what was read, with the names of the schemas of foreign keys and
        types.
        """
        for item in data if isinstance(data, list) else ():
            if isinstance(item, dict) and item.get("referred_schema") in self._names:
                item["referred_schema"] = self._names[item["referred_schema"]]

            if isinstance(item, dict) and "type" in item:
                column_type: t.Any = getattr(item["type"], "item_type", item["type"])

                if getattr(column_type, "schema", None) in self._names:
                    column_type.schema = self._names[column_type.schema]

        return data
