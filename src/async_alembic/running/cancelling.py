"""Clean up after cancelled work."""

from __future__ import annotations

import collections.abc as c
import contextlib
import traceback


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
