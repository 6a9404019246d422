from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from ..backends import Backend
from ..backends import EngineFactory
from ..generating import table
from ..harness import Caller
from ..projects import Project
from .planning import Site
from .planning import SiteFactory


@pytest.fixture
def project(tmp_path: Path, engines: EngineFactory) -> Project:
    """One table is in the models, and not in the database."""
    return Project(tmp_path, engines, metadatas=table())


@pytest.fixture
def site_for(
    engines: EngineFactory,
    caller: Caller,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> SiteFactory:
    def make(backend: Backend, **config: Any) -> Site:
        engine = engines(backend)
        # Other tests, and the servers, have theirs in the usual place.
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        return Site.of(backend, engine, engines, tmp_path, caller, **config)

    return make
