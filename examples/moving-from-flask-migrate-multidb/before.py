"""An app with Flask-Migrate and two databases: ``flask --app before db upgrade``."""

import os

from flask import Flask
from flask_migrate import Migrate
from models import db

migrate = Migrate()


def create_app() -> Flask:
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get(
        "DATABASE_URL", "sqlite:///shop.db"
    )
    app.config["SQLALCHEMY_BINDS"] = {
        "log": os.environ.get("LOG_DATABASE_URL", "sqlite:///log.db")
    }
    db.init_app(app)
    migrate.init_app(app, db)
    return app
