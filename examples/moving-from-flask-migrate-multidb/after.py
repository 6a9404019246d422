"""The same app, moved: ``flask --app after db upgrade``."""

import os

from flask import Flask
from models import db

from async_alembic import SyncAlembic

alembic = SyncAlembic()


def create_app() -> Flask:
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get(
        "DATABASE_URL", "sqlite:///shop.db"
    )
    app.config["SQLALCHEMY_BINDS"] = {
        "log": os.environ.get("LOG_DATABASE_URL", "sqlite:///log.db")
    }
    db.init_app(app)
    alembic.init_app(app)
    return app
