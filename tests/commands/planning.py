"""An app whose upgrades are planned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask.sansio.app import App

from async_alembic import Alembic
from async_alembic import Plan

from ..harness import AnyEngine
from ..harness import Caller
from ..harness import write_revision


@dataclass
class Site:
    """An app with a database, whose methods are called awaited or blocking."""

    app: App
    alembic: Alembic
    engine: AnyEngine
    root: Path
    caller: Caller

    def __call__(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self.caller(self.alembic, method, *args, **kwargs)

    def plan(self, *args: Any, **kwargs: Any) -> Plan:
        found: dict[str, Plan] = self("plan", *args, **kwargs)
        return found["default"]

    def write(self, *args: Any, **kwargs: Any) -> Path:
        return write_revision(self.root / "migrations", *args, **kwargs)

    @property
    def tables(self) -> set[str]:
        return self.caller.tables(self.engine)


SiteFactory = Callable[..., Site]
