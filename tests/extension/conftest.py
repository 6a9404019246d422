from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any
from typing import cast

import pytest

from async_alembic import SyncAlembic

from ..conftest import require


@pytest.fixture
def original() -> Iterator[type[Any]]:
    """Flask-Alembic's class, which sets logging up when it is instantiated."""
    try:
        from flask_alembic import Alembic as original
    except ImportError:
        require("'flask-alembic' is not installed.")

    loggers = [logging.getLogger(name) for name in ("sqlalchemy", "alembic")]
    before = [(logger.level, [*logger.handlers]) for logger in loggers]
    yield original

    for logger, (level, handlers) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.fixture(params=["Flask-Alembic", "SyncAlembic"])
def extension(request: pytest.FixtureRequest) -> type[Any]:
    """Either class, for what must be true of both."""
    if request.param == "SyncAlembic":
        return SyncAlembic

    return cast("type[Any]", request.getfixturevalue("original"))
