"""The same app, moved: ``flask --app after db upgrade``."""

import os

from flask import Flask
from models import db

from async_alembic import SyncAlembic

alembic = SyncAlembic()


def include_object(item, name, kind, reflected, compare_to) -> bool:
    """Leave the tables of the old shop alone, as ``env.py`` did."""
    return not (kind == "table" and name.startswith("legacy_"))


def create_app() -> Flask:
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get(
        "DATABASE_URL", "sqlite:///shop.db"
    )
    app.config["ALEMBIC_CONTEXT"] = {
        "include_object": include_object,
        "version_table": "shop_version",
    }
    db.init_app(app)
    alembic.init_app(app)
    return app
