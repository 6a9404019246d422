"""An app whose database is migrated by another command: ``alembic upgrade head``."""

import os

from quart import Quart
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine(
    os.environ.get("DATABASE_URL", "sqlite+aiosqlite:///shop.db")
)


def create_app() -> Quart:
    return Quart(__name__)
