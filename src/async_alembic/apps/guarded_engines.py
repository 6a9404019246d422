"""Keeps revisions away from the app's engines, while they are tried out only."""

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

_is_trying: contextvars.ContextVar[bool] = contextvars.ContextVar(
    "is_trying", default=False
)


@contextlib.contextmanager
def trying_out() -> c.Iterator[None]:
    """Call revisions in this context to try them out."""
    token = _is_trying.set(True)

    try:
        yield
    finally:
        _is_trying.reset(token)


@contextlib.contextmanager
def guarded(engines: Engines) -> c.Iterator[None]:
    """Refuse the statements that a revision which is tried out executes on the app's
    engines. Those of other tasks and threads are let through.

    :param engines: The engine of each database, by its name.
    """
    with contextlib.ExitStack() as stack:
        for name, engine in engines.items():
            sync_engine = engine.sync_engine if is_async(engine) else engine
            stack.enter_context(_guarded(name, t.cast("sa.Engine", sync_engine)))

        yield


@contextlib.contextmanager
def _guarded(name: str, engine: sa.Engine) -> c.Iterator[None]:
    def refuse(*_: object) -> None:
        if _is_trying.get():
            raise PlanError(
                name,
                "a revision uses the app's engine, and not 'op'",
                "Use op.get_bind() in it",
            )

    def refuse_statement(connection: sa.Connection, *_: object) -> None:
        # The copies of the engine have its listeners.
        if connection.engine.url == engine.url:
            refuse()

    # Whoever asks the pool for a connection of the driver executes nothing here.
    pool = engine.pool
    event.listen(pool, "checkout", refuse)
    event.listen(engine, "before_cursor_execute", refuse_statement)

    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", refuse_statement)
        event.remove(pool, "checkout", refuse)
