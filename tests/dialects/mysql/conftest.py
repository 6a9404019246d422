from __future__ import annotations

from pathlib import Path

import pytest

from ...backends import Backend
from ...backends import EngineFactory
from ...harness import Caller
from ...harness import one_connection
from .shop import Shop


@pytest.fixture
def shop(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> Shop:
    return Shop(caller, engines(backend, **one_connection(backend)), tmp_path)
