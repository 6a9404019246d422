"""Names for unnamed constraints in generated revisions, so that they can be dropped."""

from __future__ import annotations

import collections.abc as c


def unique_name(table: str, columns: c.Iterable[str]) -> str:
    return "_".join(["uq", table, *columns])


def foreign_key_name(table: str, columns: c.Iterable[str], parent: str) -> str:
    return "_".join(["fk", table, *columns, parent])
