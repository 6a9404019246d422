"""The engines of code that is run as a user would run it, and so is not told to dispose
them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine


@contextlib.contextmanager
def disposing_engines(runner: asyncio.Runner) -> Iterator[None]:
    """Dispose every engine that connects meanwhile.

    :param runner: Holds the loop in which the async ones are used.
    """
    engines: list[sa.Engine] = []

    def collect(connection: sa.Connection) -> None:
        if connection.engine not in engines:
            engines.append(connection.engine)

    event.listen(sa.Engine, "engine_connect", collect)

    try:
        yield
    finally:
        event.remove(sa.Engine, "engine_connect", collect)

        for engine in engines:
            if engine.dialect.is_async:
                runner.run(AsyncEngine(engine).dispose())
            else:
                engine.dispose()
