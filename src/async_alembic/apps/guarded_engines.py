"""Keeps revisions away from the app's engines, while they run for a plan only."""

from __future__ import annotations

import collections.abc as c
import contextlib
import contextvars
import typing as t

from sqlalchemy import event

from ..errors import PlanError
from .engines import is_async

if t.TYPE_CHECKING:
    import sqlalchemy as sa

    from .engines import Engines

_is_planning: contextvars.ContextVar[bool] = contextvars.ContextVar(
    "is_planning", default=False
)


@contextlib.contextmanager
def planning() -> c.Iterator[None]:
    """Call a revision in this context, for a plan."""
    token = _is_planning.set(True)

    try:
        yield
    finally:
        _is_planning.reset(token)


@contextlib.contextmanager
def guarded(engines: Engines) -> c.Iterator[None]:
    """Refuse the statements that a revision executes on the app's engines for a plan.
    Those of other tasks and threads are let through.

    :param engines: The engine of each database, by its name.
    """
    with contextlib.ExitStack() as stack:
        for name, engine in engines.items():
            sync_engine = engine.sync_engine if is_async(engine) else engine
            stack.enter_context(_guarded(name, t.cast("sa.Engine", sync_engine)))

        yield


@contextlib.contextmanager
def _guarded(name: str, engine: sa.Engine) -> c.Iterator[None]:
    def refuse(connection: sa.Connection, *_: object) -> None:
        # The copies of the engine have its listeners.
        if _is_planning.get() and connection.engine.url == engine.url:
            raise PlanError(
                name,
                "a revision uses the app's engine, and not 'op'",
                "Use op.get_bind() in it",
            )

    event.listen(engine, "before_cursor_execute", refuse)

    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", refuse)
