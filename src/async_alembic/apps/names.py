"""Names of databases."""

from __future__ import annotations

import collections.abc as c


def default_name(names: c.Iterable[str]) -> str:
    """Return the name of the default database.

    :param names: The names of all databases; at least one.
    """
    names = list(names)
    return "default" if "default" in names else names[0]
