"""For the ``env.py`` that Alembic's own program and other tools execute."""

from __future__ import annotations

import typing as t

from ..apps.current import call_in_app_context
from ..errors import AppError

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from .base import BaseAlembic


def run_env_py(app: App) -> None:
    """Do what an ``env.py`` has to do, with the engines, the metadata and the
    ``ALEMBIC_CONTEXT`` of an app. ``db init --env-py`` writes a file that calls it.

    The migrations are Alembic's own: without a lock, and not resumed where a database
    has no transactional DDL. If Alembic's ``config.attributes["connection"]`` is an
    engine or a connection, that is used for the default database.

    :param app: A Flask or Quart app on which the extension is registered.
    :raises AppError: If it is not.

    .. versionadded:: 0.1.0
    """
    extension: BaseAlembic | None = app.extensions.get("alembic")

    if extension is None:
        raise AppError(
            f"App '{app.name}' has no migrations, so 'env.py' cannot run them. Call"
            " 'init_app' of the extension first."
        )

    found = extension
    call_in_app_context(app, lambda: _run(found, app))


def _run(extension: BaseAlembic, app: App) -> None:
    import sqlalchemy as sa

    from ..commands import env_py
    from ..running.with_engines import run_with_engines

    databases = extension._registry.state(app).databases(app)
    environment = env_py.EnvPy(extension._project(app), databases)

    given = env_py.given_connection()

    if env_py.is_offline():
        environment.write_sql()
    elif isinstance(given, sa.Connection):
        environment.run_on(given)
    else:
        run_with_engines(databases.engines, given, environment.run)
