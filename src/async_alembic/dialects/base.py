from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

if t.TYPE_CHECKING:
    import sqlalchemy as sa


class Dialect:
    """A database that needs nothing special."""

    #: Whether DDL can be rolled back; ``None`` leaves the answer to Alembic.
    transactional_ddl: bool | None = None

    @contextlib.contextmanager
    def migrating(self, connection: sa.Connection) -> c.Iterator[None]:
        """Prepare a connection to be migrated, and put it back as it was.

        :param connection: A connection that is not in a transaction.
        """
        yield
