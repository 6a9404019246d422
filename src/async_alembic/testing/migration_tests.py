"""Ready-made tests for a history. This switches them on, in a module of yours:

.. code-block:: python

    from async_alembic.testing.migration_tests import *
"""

from __future__ import annotations

import typing as t

import pytest

from .plugin import showing_failures

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


@showing_failures()
def test_there_is_one_head(alembic_history: History) -> None:
    alembic_history.has_one_head()


@showing_failures()
def test_revisions_can_be_read(alembic_history: History) -> None:
    alembic_history.can_be_read()


@showing_failures()
def test_the_history_goes_up_from_base(alembic_history: History) -> None:
    alembic_history.goes_up_from_base()


@showing_failures()
def test_each_revision_goes_up_down_and_up(alembic_history: History) -> None:
    alembic_history.goes_up_down_and_up()


@showing_failures()
def test_a_downgrade_leaves_no_trace(alembic_history: History) -> None:
    alembic_history.leaves_no_trace()


@showing_failures()
def test_models_match_the_migrations(alembic_history: History) -> None:
    alembic_history.matches_models()


@showing_failures()
def test_data_survives(
    alembic_history: History, alembic_data: dict[str, RevisionData]
) -> None:
    if not alembic_data:
        pytest.skip("The fixture 'alembic_data' has no rows to insert.")

    alembic_history.keeps_data(alembic_data)


@showing_failures()
def test_sql_scripts_do_what_revisions_do(alembic_history: History) -> None:
    alembic_history.is_the_same_offline()


@showing_failures()
def test_no_released_revision_was_edited(
    alembic_history: History, alembic_release: str
) -> None:
    alembic_history.is_as_released(alembic_release)


@showing_failures()
def test_a_released_database_can_be_upgraded(
    alembic_history: History, alembic_release: str
) -> None:
    alembic_history.goes_up_from_release(alembic_release)
