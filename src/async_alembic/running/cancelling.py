"""Clean up after cancelled work."""

from __future__ import annotations

import collections.abc as c
import contextlib
import traceback
import typing as t

if t.TYPE_CHECKING:
    import sqlalchemy as sa


@contextlib.contextmanager
def release_cursors() -> c.Iterator[None]:
    """Release the cursors of cancelled work. On SQLite, a cursor with unread rows keeps
    its lock even after the connection is closed.
    """
    try:
        yield
    except Exception:
        raise
    except BaseException as e:
        traceback.clear_frames(e.__traceback__)
        raise


def execute_out_of_band(
    connect: c.Callable[[str], contextlib.AbstractContextManager[sa.Connection]],
    name: str,
    statement: str | None,
) -> None:
    """Execute a statement, if any, on an extra connection.

    :param connect: Opens an extra connection to a database, by its name.
    :param name: The name of the database.
    :param statement: The statement, or ``None`` to do nothing.
    """
    if statement is not None:
        # On failure, the server notices the cancellation after its current statement.
        with contextlib.suppress(Exception), connect(name) as connection:
            connection.exec_driver_sql(statement)
