from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from quart import Quart

from async_alembic.testing import FreshDatabase

if TYPE_CHECKING:
    # Pytest would take it for a class of tests.
    from quart.typing import TestClientProtocol


@pytest.fixture
async def client(fresh_database: FreshDatabase) -> AsyncIterator[TestClientProtocol]:
    app = fresh_database.app
    assert isinstance(app, Quart)

    async with app.test_app():
        yield app.test_client()


@pytest.mark.parametrize("text", ["milk", "tea"])
async def test_a_note_is_the_only_one(client: TestClientProtocol, text: str) -> None:
    await client.post("/notes", form={"text": text})
    (note,) = await (await client.get("/api/notes")).get_json()
    assert (note["text"], note["done"]) == (text, False)


async def test_a_note_can_be_done(client: TestClientProtocol) -> None:
    await client.post("/notes", form={"text": "milk"})
    (note,) = await (await client.get("/api/notes")).get_json()
    await client.post(f"/notes/{note['id']}/done")
    (note,) = await (await client.get("/api/notes")).get_json()
    assert note["done"] is True
