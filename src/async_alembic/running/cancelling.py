"""What there is to do for work that is broken off."""

from __future__ import annotations

import collections.abc as c
import contextlib
import traceback
import typing as t

if t.TYPE_CHECKING:
    import sqlalchemy as sa


@contextlib.contextmanager
def cursors_freed() -> c.Iterator[None]:
    """See to it that work which was broken off keeps no cursor. In the middle of its
    rows, SQLite keeps its lock with it after the connection was closed.
    """
    try:
        yield
    except Exception:
        raise
    except BaseException as e:
        traceback.clear_frames(e.__traceback__)
        raise


def execute_beside(
    connect: c.Callable[[str], contextlib.AbstractContextManager[sa.Connection]],
    name: str,
    statement: str | None,
) -> None:
    """Execute a statement, if any, on one more connection to a database."""
    if statement is not None:
        # If it fails, the server finds out after the statement that it is at.
        with contextlib.suppress(Exception), connect(name) as connection:
            connection.exec_driver_sql(statement)
