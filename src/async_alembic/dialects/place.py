"""Where a database has its version table, and what its sessions are set to."""

from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

from sqlalchemy.exc import DBAPIError

from ..errors import ConfigurationError
from ..errors import first_line

Setting: t.TypeAlias = str | int | float


class Place(t.NamedTuple):
    """Where a database has its version table, as the server says.

    :param database: The database, as far as its server tells it from others; ``None``
        if that is unknown.
    :param schema: The schema that the table is in, or will be created in; ``None`` if
        the database has none.
    :param is_settled: Whether the schema stays the same whatever other migrators do. It
        does not if it depends on a search path, and the table is missing.
    :param is_read_only: Whether the server is a replica, or refuses to write.
    """

    database: str | None
    schema: str | None
    is_settled: bool = True
    is_read_only: bool = False


@contextlib.contextmanager
def setting_errors(name: str, value: Setting) -> c.Iterator[None]:
    try:
        yield
    except DBAPIError as e:
        raise ConfigurationError(
            f"app.config['ALEMBIC_SESSION']['{name}'] cannot be {value!r}:"
            f" {first_line(e.orig or e)}. Correct the name or the value."
        ) from e
