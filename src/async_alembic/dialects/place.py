"""Where a database has its version table, and what its sessions are set to."""

from __future__ import annotations

import typing as t

Setting: t.TypeAlias = str | int | float


class Place(t.NamedTuple):
    """Where a database has its version table, as the server says.

    :param database: The database, as far as its server tells it from others; ``None``
        if that is unknown.
    :param schema: The schema that the table is in, or will be created in; ``None`` if
        the database has none.
    :param is_settled: Whether the schema stays the same whatever other migrators do. It
        does not if it depends on a search path, and the table is missing.
    """

    database: str | None
    schema: str | None
    is_settled: bool = True
