"""The ready-made tests of migrations."""

from async_alembic.testing.migration_tests import *  # noqa: F403
