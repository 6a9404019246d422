"""Ready-made tests for a migration history. Import them in a test module:

.. code-block:: python

    from async_alembic.testing.migration_tests import *
"""

from __future__ import annotations

import typing as t

import pytest

from .plugin import as_pytest_outcomes

if t.TYPE_CHECKING:
    from .checks.migrating import RevisionData
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


@as_pytest_outcomes()
def test_there_is_one_head(alembic_history: History) -> None:
    alembic_history.has_one_head()


@as_pytest_outcomes()
def test_revisions_can_be_read(alembic_history: History) -> None:
    alembic_history.can_be_read()


@as_pytest_outcomes()
def test_the_history_goes_up_from_base(alembic_history: History) -> None:
    alembic_history.goes_up_from_base()


@as_pytest_outcomes()
def test_each_revision_goes_up_down_and_up(alembic_history: History) -> None:
    alembic_history.goes_up_down_and_up()


@as_pytest_outcomes()
def test_a_downgrade_leaves_no_trace(alembic_history: History) -> None:
    alembic_history.leaves_no_trace()


@as_pytest_outcomes()
def test_models_match_the_migrations(alembic_history: History) -> None:
    alembic_history.matches_models()


@as_pytest_outcomes()
def test_data_survives(
    alembic_history: History, alembic_data: dict[str, RevisionData]
) -> None:
    if not alembic_data:
        pytest.skip("The fixture 'alembic_data' returns no rows.")

    alembic_history.keeps_data(alembic_data)


@as_pytest_outcomes()
def test_sql_scripts_do_what_revisions_do(alembic_history: History) -> None:
    alembic_history.is_the_same_offline()


@as_pytest_outcomes()
def test_no_released_revision_was_edited(
    alembic_history: History, alembic_release: str
) -> None:
    alembic_history.is_as_released(alembic_release)


@as_pytest_outcomes()
def test_a_released_database_can_be_upgraded(
    alembic_history: History, alembic_release: str
) -> None:
    alembic_history.goes_up_from_release(alembic_release)
