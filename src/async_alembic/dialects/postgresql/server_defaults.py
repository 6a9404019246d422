"""Compares the server defaults of PostgreSQL."""

from __future__ import annotations

import re
import typing as t

from ..server_defaults import Defaults

if t.TYPE_CHECKING:
    import sqlalchemy as sa

_next_value = re.compile(r"nextval\('(?:(.+)\.)?([^.]+)'(?:::regclass)?\)", re.I)


class PostgreSQLDefaults(Defaults):
    """The server compares their values, other than those of sequences: to ask for these
    would take them.
    """

    def __init__(self) -> None:
        super().__init__(server_compares=True)

    def is_changed(
        self,
        inspected: sa.ColumnElement[t.Any],
        column: sa.Column[t.Any],
        new: str,
        found: str,
    ) -> bool | None:
        if column is column.table.autoincrement_column:
            return super().is_changed(inspected, column, new, found)

        if "nextval(" in new.lower() or "nextval(" in found.lower():
            return not _is_same_sequence(new, found)

        return super().is_changed(inspected, column, new, found)


def _is_same_sequence(one: str, other: str) -> bool:
    first, second = _next_value.fullmatch(one), _next_value.fullmatch(other)

    if first is None or second is None:
        return one == other

    # The server leaves out a schema of the search path.
    schemas = {first[1], second[1]} - {None}
    return first[2] == second[2] and len(schemas) < 2
