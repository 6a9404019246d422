from __future__ import annotations

from pathlib import Path

import pytest

from ..backends import EngineFactory
from ..projects import Project
from .generating import table


@pytest.fixture
def project(tmp_path: Path, engines: EngineFactory) -> Project:
    """One table is in the models, and not in the database."""
    return Project(tmp_path, engines, metadatas=table())
