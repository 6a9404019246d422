from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from ..backends import Backend
from ..backends import EngineFactory
from ..harness import Caller
from ..projects import Project
from .generating import table
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
    # Other tests have theirs in the usual place.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def make(backend: Backend, **config: Any) -> Site:
        args = (engines, tmp_path, caller)
        return Site.of(backend, engines(backend), *args, **config)

    return make
