"""Names of databases."""

from __future__ import annotations

import collections.abc as c


def default_name(names: c.Iterable[str]) -> str:
    """Return the name of the default database.

    :param names: The names of all databases; at least one.
    """
    names = list(names)
    # Flask-Migrate's revisions of several databases call it "".
    return next((name for name in ("default", "") if name in names), names[0])
