"""Tests of the notes app, each with a migrated database of its own.

In ``examples/notes``::

    pip install pytest pytest-asyncio
    pytest

With ``DATABASE_URL`` set to that of a server, its databases are made there.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from notes import create_app
from quart import Quart

from async_alembic.testing import RevisionData


@pytest.fixture(scope="session")
def alembic_app() -> Callable[[str], Quart]:
    return create_app


if "DATABASE_URL" in os.environ:

    @pytest.fixture(scope="session")
    def alembic_server_url() -> str:
        return os.environ["DATABASE_URL"]


@pytest.fixture(scope="session")
def alembic_data() -> dict[str, RevisionData]:
    """A note that is there when notes can be done keeps its text, and is not done."""
    note = {"id": 7, "text": "milk"}
    return {
        "1795338895": RevisionData(
            before={"note": [note]}, after={"note": [{**note, "done": False}]}
        )
    }
