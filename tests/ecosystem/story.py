"""Runs the story of one package, in a process of its own: packages that extend Alembic
register themselves for the whole process.

``python -m tests.ecosystem.story NAME URL`` runs it in the working directory. A story
is a module with ``models(stage)``, which returns the metadata of stage 1 and of stage
2, and some of these:

- ``context``: ``ALEMBIC_CONTEXT``;
- ``options``: ``ALEMBIC``;
- ``prepare(engine)``: what is done once with a new engine;
- ``finish(alembic, engine)``: a coroutine with more checks, at head.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from typing import Any

from quart import Quart
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.ext.asyncio import create_async_engine

from async_alembic import Alembic

ASYNC_DRIVERS = {"asyncpg", "aiosqlite"}


async def tell(story: Any, url: str) -> None:
    """Create, change, compare, down and up."""
    is_async = url.partition("+")[2].partition(":")[0] in ASYNC_DRIVERS
    make: Any = create_async_engine if is_async else create_engine
    engine = make(url)

    if hasattr(story, "prepare"):
        story.prepare(engine)

    for stage in 1, 2:
        app, alembic = make_app(story, engine, stage)
        scripts = await alembic.revision(f"stage {stage}")
        assert scripts, "Nothing was found."
        await alembic.upgrade()
        found = await alembic.compare_metadata()
        assert not found, f"The second comparison of stage {stage} finds {found}."

    for target in "-1", "heads", "base", "heads":
        await (alembic.upgrade() if target == "heads" else alembic.downgrade(target))

    assert not await alembic.needs_revision(), await alembic.compare_metadata()

    if hasattr(story, "finish"):
        await story.finish(alembic, engine)

    assert app.extensions["alembic"] is alembic

    if isinstance(engine, AsyncEngine):
        await engine.dispose()


def make_app(story: Any, engine: Any, stage: int) -> tuple[Quart, Alembic]:
    metadata = story.models(stage)
    app = Quart(__name__, root_path=os.getcwd())
    app.config["ALEMBIC"] = dict(getattr(story, "options", {}))
    app.config["ALEMBIC_CONTEXT"] = dict(getattr(story, "context", {}))
    return app, Alembic(app, metadatas=metadata, engines=engine)


if __name__ == "__main__":
    module = importlib.import_module(f"tests.ecosystem.stories.{sys.argv[1]}")
    asyncio.run(tell(module, sys.argv[2]))
