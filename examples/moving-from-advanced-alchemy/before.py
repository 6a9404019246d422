"""An app with Advanced Alchemy: ``flask --app before database upgrade``."""

import os

from advanced_alchemy.extensions.flask import AdvancedAlchemy
from advanced_alchemy.extensions.flask import SQLAlchemySyncConfig
from flask import Flask
from models import User

config = SQLAlchemySyncConfig(
    connection_string=os.environ.get("DATABASE_URL", "sqlite:///shop.db"),
    metadata=User.metadata,
    bind_key="default",
)


def create_app() -> Flask:
    app = Flask(__name__)
    AdvancedAlchemy(config, app)
    return app
