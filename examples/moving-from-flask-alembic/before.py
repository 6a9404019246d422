"""An app with Flask-Alembic: ``flask --app before db upgrade``."""

import os

from flask import Flask
from flask_alembic import Alembic
from models import db

alembic = Alembic()


def create_app() -> Flask:
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get(
        "DATABASE_URL", "sqlite:///shop.db"
    )
    db.init_app(app)
    alembic.init_app(app)
    return app
