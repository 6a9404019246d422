"""The same app, moved: ``flask --app after db upgrade``."""

import os

from flask import Flask
from models import db

from async_alembic import SyncAlembic as Alembic

alembic = Alembic()


def create_app() -> Flask:
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get(
        "DATABASE_URL", "sqlite:///shop.db"
    )
    db.init_app(app)
    alembic.init_app(app)
    return app
