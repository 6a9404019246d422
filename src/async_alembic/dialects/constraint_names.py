"""Names for unnamed constraints, so that they can be dropped."""

from __future__ import annotations

import collections.abc as c

#: The same names as a naming convention of SQLAlchemy
#: (https://docs.sqlalchemy.org/en/20/core/constraints.html#constraint-naming-conventions).
CONVENTION = {
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
}


def unique_name(table: str, columns: c.Iterable[str]) -> str:
    return "_".join(["uq", table, *columns])


def foreign_key_name(table: str, columns: c.Iterable[str], parent: str) -> str:
    return "_".join(["fk", table, *columns, parent])
