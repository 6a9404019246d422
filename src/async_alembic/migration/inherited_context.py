"""Threads that a revision starts inherit its context, so that ``op`` works in them, as
it does with Alembic alone. Tasks inherit it anyway.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import contextvars
import threading
import typing as t

_Thread: t.Any = threading.Thread
_start = _Thread.start
_lock = threading.Lock()
_users = 0
#: Whether the code that runs is a revision's.
_is_revision: contextvars.ContextVar[bool] = contextvars.ContextVar("_is_revision")


@contextlib.contextmanager
def inherited_by_threads() -> c.Iterator[None]:
    """Let the threads that are started inside the ``with`` block have its context
    variables, which is Python's own choice from 3.14 on, if it is told so.
    """
    _add_user(1)
    token = _is_revision.set(True)

    try:
        yield
    finally:
        _is_revision.reset(token)
        _add_user(-1)


def _add_user(count: t.Literal[1, -1]) -> None:
    global _users

    with _lock:
        _users += count

        # Other code may have replaced the method meanwhile.
        if _users and _Thread.start is _start:
            _Thread.start = _start_with_context
        elif not _users and _Thread.start is _start_with_context:
            _Thread.start = _start


def _start_with_context(thread: t.Any) -> None:
    if _is_revision.get(False):
        context, run = contextvars.copy_context(), thread.run
        thread.run = lambda: context.run(run)

    _start(thread)
