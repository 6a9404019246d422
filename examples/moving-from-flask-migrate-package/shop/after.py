"""The same app, moved: ``flask --app shop.after db upgrade``."""

import os

from flask import Flask

from async_alembic import SyncAlembic

from .models import db

alembic = SyncAlembic()


def create_app() -> Flask:
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get(
        "DATABASE_URL", "sqlite:///shop.db"
    )
    # Relative to the package; Flask-Migrate's was relative to the current folder.
    app.config["ALEMBIC"] = {"script_location": "../migrations"}
    db.init_app(app)
    alembic.init_app(app)
    return app
