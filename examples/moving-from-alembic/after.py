"""The same app, moved: ``quart --app after db upgrade``."""

import os

from models import Model
from quart import Quart
from sqlalchemy.ext.asyncio import create_async_engine

from async_alembic import Alembic

engine = create_async_engine(
    os.environ.get("DATABASE_URL", "sqlite+aiosqlite:///shop.db")
)
alembic = Alembic(metadatas=Model.metadata, engines=engine)


def create_app() -> Quart:
    app = Quart(__name__)
    app.config["ALEMBIC"] = {"script_location": "alembic"}
    alembic.init_app(app)
    return app
