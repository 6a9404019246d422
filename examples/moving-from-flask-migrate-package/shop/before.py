"""A package with Flask-Migrate, and ``migrations`` beside it.

Run ``flask --app shop.before db upgrade``.
"""

import os

from flask import Flask
from flask_migrate import Migrate

from .models import db

migrate = Migrate()


def create_app() -> Flask:
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get(
        "DATABASE_URL", "sqlite:///shop.db"
    )
    db.init_app(app)
    migrate.init_app(app, db)
    return app
