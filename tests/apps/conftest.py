from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..engines import disposing_engines
from .worlds import World


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, getattr(request, "param", "flask"))

    with world.closing:
        yield world


@pytest.fixture(autouse=True)
def disposed(runner: asyncio.Runner) -> Iterator[None]:
    """Most engines here are made by something else than the test."""
    with disposing_engines(runner):
        yield
