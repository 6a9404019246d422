from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from async_alembic import Alembic

from ..backends import EngineFactory
from ..projects import Project


@pytest.fixture
def alembic(tmp_path: Path, engines: EngineFactory) -> Iterator[Alembic]:
    # The app lives as long as its project.
    project = Project(tmp_path, engines, framework="quart")
    yield project.alembic


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "migrations"
