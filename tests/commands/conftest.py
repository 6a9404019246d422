from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import Alembic

from ..backends import Backend
from ..backends import EngineFactory
from ..harness import Caller
from ..harness import make_app
from ..projects import Project
from .generating import table
from .planning import Site
from .planning import SiteFactory


@pytest.fixture
def project(tmp_path: Path, engines: EngineFactory) -> Project:
    """One table is in the models, and not in the database."""
    return Project(tmp_path, engines, metadatas=table())


@pytest.fixture
def site_for(engines: EngineFactory, caller: Caller, tmp_path: Path) -> SiteFactory:
    def make(backend: Backend, **config: Any) -> Site:
        app = make_app("quart", tmp_path, ALEMBIC=config)
        engine = engines(backend)
        alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)
        return Site(app, alembic, engine, tmp_path, caller)

    return make
