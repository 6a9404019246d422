from __future__ import annotations

import typing as t

import sqlalchemy as sa

from ..schema_objects import SchemaObjects

if t.TYPE_CHECKING:
    from ..schema_objects import Column

#: Older servers have fewer columns.
_checks = sa.text("SELECT * FROM information_schema.check_constraints")


class MySQLObjects(SchemaObjects):
    def column_checks(self, connection: sa.Connection) -> dict[Column, str]:
        if not getattr(connection.dialect, "is_mariadb", False):
            return {}

        default = connection.dialect.default_schema_name
        found: dict[Column, str] = {}

        for row in connection.execute(_checks).mappings():
            info = {name.lower(): value for name, value in row.items()}
            name, condition = info["constraint_name"], info["check_clause"]

            # That of JSON comes with the type.
            if info.get("level") == "Column" and condition != f"json_valid(`{name}`)":
                schema = info["constraint_schema"]
                schema = None if schema == default else schema
                found[schema, info["table_name"], name] = condition

        return found
