from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from async_alembic import Alembic

from ..backends import Backend
from ..backends import EngineFactory
from ..harness import Caller
from ..harness import Framework
from ..harness import make_app
from .project import metadata
from .project import Project
from .project import ProjectFactory
from .project import write_history


@pytest.fixture
def project_for(
    engines: EngineFactory, runner: asyncio.Runner, tmp_path: Path
) -> ProjectFactory:
    def make(framework: Framework, backend: Backend, **kwargs: Any) -> Project:
        app = make_app(framework, tmp_path, **kwargs.pop("config", {}))
        # A folder of migrations that an earlier start has made.
        (tmp_path / "migrations").mkdir()
        engine = engines(backend)
        kwargs.setdefault("metadatas", metadata())
        alembic = Alembic(app, engines=engine, **kwargs)
        return Project(app, alembic, engine, tmp_path, Caller(runner, False))

    return make


@pytest.fixture
def db(framework: Framework, backend: Backend, project_for: ProjectFactory) -> Project:
    """An app whose history has ``a1``, ``b2`` and ``c3``, one after another."""
    project = project_for(framework, backend)
    write_history(project.migrations)
    return project
