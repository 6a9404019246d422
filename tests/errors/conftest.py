from __future__ import annotations

import asyncio
import functools
from pathlib import Path
from typing import Any

import pytest

from async_alembic import Alembic

from ..backends import Backend
from ..backends import EngineFactory
from ..harness import Caller
from ..harness import create_table
from ..harness import Framework
from ..harness import make_app
from ..harness import write_revision
from .project import metadata
from .project import Project
from .project import ProjectFactory


@pytest.fixture
def project_for(
    request: pytest.FixtureRequest,
    engines: EngineFactory,
    runner: asyncio.Runner,
    tmp_path: Path,
) -> ProjectFactory:
    def make(way: str, framework: Framework, backend: Backend, **kw: Any) -> Project:
        app = make_app(framework, tmp_path, **kw.pop("config", {}))
        engine = kw.pop("engines") if "engines" in kw else engines(backend)
        kw.setdefault("metadatas", metadata())
        alembic = Alembic(app, engines=engine, **kw)
        look = Caller(runner, False)
        single = engine if hasattr(engine, "url") else None
        return Project(way, app, alembic, single, tmp_path / "migrations", look)

    return make


@pytest.fixture
def make(
    way: str, framework: Framework, backend: Backend, project_for: ProjectFactory
) -> ProjectFactory:
    """Make the project of a test's parameters: ``make(metadatas=..., config=...)``."""
    return functools.partial(project_for, way, framework, backend)


@pytest.fixture
def project(make: ProjectFactory) -> Project:
    """A history with two heads: ``a1``, ``ab12`` and ``ab34`` after it."""
    project = make()
    write_revision(project.migrations, "a1", None, create_table("users"))
    write_revision(project.migrations, "ab12", "a1", create_table("posts"))
    write_revision(project.migrations, "ab34", "a1", create_table("tags"))
    return project
