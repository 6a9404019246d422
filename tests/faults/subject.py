"""What is disturbed: one driver, one database and the app's settings."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any
from typing import Self

import sqlalchemy as sa

from ..backends import Backend
from ..backends import by_id


@dataclass(frozen=True)
class Subject:
    """What makes a site, in this process or in another.

    :param backend: The driver.
    :param url: An existing database.
    :param root: The app's folder, with the revisions in "migrations".
    :param awaited: Whether the upgrade is awaited, or blocks.
    :param options: The app's ``ALEMBIC_CONTEXT``.
    """

    backend: Backend
    url: sa.URL
    root: Path
    awaited: bool
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def one_each(self) -> bool:
        """Whether each revision has a transaction."""
        return bool(self.options.get("transaction_per_migration"))

    def to_json(self) -> dict[str, Any]:
        return {
            "backend": self.backend.id,
            "url": self.url.render_as_string(hide_password=False),
            "root": str(self.root),
            "awaited": self.awaited,
            "options": self.options,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(
            by_id(data["backend"]),
            sa.make_url(data["url"]),
            Path(data["root"]),
            data["awaited"],
            data["options"],
        )
