"""Names of databases."""

from __future__ import annotations

import collections.abc as c


def default_name(names: c.Iterable[str]) -> str:
    """The name of the database that is meant where none is named.

    :param names: The names of all databases; at least one.
    """
    names = list(names)
    return "default" if "default" in names else names[0]
