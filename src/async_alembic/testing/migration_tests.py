"""Ready-made tests for a history. This switches them on, in a module of yours:

.. code-block:: python

    from async_alembic.testing.migration_tests import *
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

import pytest

if t.TYPE_CHECKING:
    from .checks.walks import RevisionData
    from .histories import History

__all__ = [
    "test_a_downgrade_leaves_no_trace",
    "test_a_released_database_can_be_upgraded",
    "test_data_survives",
    "test_each_revision_goes_up_down_and_up",
    "test_models_match_the_migrations",
    "test_no_released_revision_was_edited",
    "test_revisions_can_be_read",
    "test_sql_scripts_do_what_revisions_do",
    "test_the_history_goes_up_from_base",
    "test_there_is_one_head",
]


@contextlib.contextmanager
def _shown() -> c.Iterator[None]:
    """Show what a check has found, and not where in this package."""
    from .checks import CheckFailedError
    from .checks import Impossible

    try:
        yield
    except CheckFailedError as e:
        pytest.fail(str(e), pytrace=False)
    except Impossible as e:
        pytest.skip(str(e))


@_shown()
def test_there_is_one_head(alembic_history: History) -> None:
    alembic_history.has_one_head()


@_shown()
def test_revisions_can_be_read(alembic_history: History) -> None:
    alembic_history.can_be_read()


@_shown()
def test_the_history_goes_up_from_base(alembic_history: History) -> None:
    alembic_history.goes_up_from_base()


@_shown()
def test_each_revision_goes_up_down_and_up(alembic_history: History) -> None:
    alembic_history.goes_up_down_and_up()


@_shown()
def test_a_downgrade_leaves_no_trace(alembic_history: History) -> None:
    alembic_history.leaves_no_trace()


@_shown()
def test_models_match_the_migrations(alembic_history: History) -> None:
    alembic_history.matches_models()


@_shown()
def test_data_survives(
    alembic_history: History, alembic_data: dict[str, RevisionData]
) -> None:
    if not alembic_data:
        pytest.skip("The fixture 'alembic_data' has no rows to insert.")

    alembic_history.keeps_data(alembic_data)


@_shown()
def test_sql_scripts_do_what_revisions_do(alembic_history: History) -> None:
    alembic_history.is_the_same_offline()


@_shown()
def test_no_released_revision_was_edited(
    alembic_history: History, alembic_release: str
) -> None:
    alembic_history.is_as_released(alembic_release)


@_shown()
def test_a_released_database_can_be_upgraded(
    alembic_history: History, alembic_release: str
) -> None:
    alembic_history.goes_up_from_release(alembic_release)
