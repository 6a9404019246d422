"""What an extension was created with."""

from __future__ import annotations

import dataclasses
import typing as t

from .hooks import Hooks

if t.TYPE_CHECKING:
    from .databases import EngineSource
    from .databases import Metadatas
    from .tenants import TenantSource


@dataclasses.dataclass
class Arguments:
    """The arguments of :class:`.Alembic` that say where databases are found.

    :param prefer_async: Whether to use the async engines of a SQLAlchemy extension that
        has both kinds.
    :param hooks: The functions that were registered since.
    """

    metadatas: Metadatas | None
    engines: EngineSource | None
    prefer_async: bool
    tenants: TenantSource | None = None
    tenant_metadatas: Metadatas | None = None
    hooks: Hooks = dataclasses.field(default_factory=Hooks)
