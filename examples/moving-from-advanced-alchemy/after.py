"""The same app, moved: ``flask --app after db upgrade``."""

import os

from advanced_alchemy.extensions.flask import AdvancedAlchemy
from advanced_alchemy.extensions.flask import SQLAlchemySyncConfig
from flask import Flask
from models import User

from async_alembic import SyncAlembic

config = SQLAlchemySyncConfig(
    connection_string=os.environ.get("DATABASE_URL", "sqlite:///shop.db"),
    metadata=User.metadata,
    bind_key="default",
)
alembic = SyncAlembic()


def create_app() -> Flask:
    app = Flask(__name__)
    AdvancedAlchemy(config, app)
    # What Advanced Alchemy sets.
    app.config["ALEMBIC_CONTEXT"] = {
        "version_table": config.alembic_config.version_table_name,
        "user_module_prefix": config.alembic_config.user_module_prefix,
    }
    alembic.init_app(app)
    return app
