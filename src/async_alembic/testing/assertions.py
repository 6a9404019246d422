"""Assertions about an app's database."""

from __future__ import annotations

import collections.abc as c
import typing as t

from ..extension.blocking import SyncAlembic
from .checks import models

if t.TYPE_CHECKING:
    from ..extension.awaited import Alembic


@t.overload
def assert_models_match(alembic: SyncAlembic) -> None: ...


@t.overload
def assert_models_match(alembic: Alembic) -> c.Coroutine[t.Any, t.Any, None]: ...


def assert_models_match(
    alembic: Alembic | SyncAlembic,
) -> c.Coroutine[t.Any, t.Any, None] | None:
    """Assert that the database matches the models, so that no revision is missing.

    :param alembic: The extension. With :class:`.Alembic`, await the result.
    :raises AssertionError: If they differ. The message shows the differences and the
        missing operations.
    """
    if not isinstance(alembic, SyncAlembic):
        return _assert_models_match(alembic)

    models.check_models_match(alembic.produce_migrations())
    return None


async def _assert_models_match(alembic: Alembic) -> None:
    models.check_models_match(await alembic.produce_migrations())
