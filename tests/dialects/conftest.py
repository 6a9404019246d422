from __future__ import annotations

from pathlib import Path

import pytest

from ..backends import Backend
from ..backends import EngineFactory
from ..harness import Caller
from .pairs import Pair


@pytest.fixture
def pair(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> Pair:
    return Pair(backend, caller, engines, tmp_path)
