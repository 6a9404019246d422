"""Every process of an app may migrate when it boots: one of them does, and the others
wait until there is nothing left to do.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.script import Script

from async_alembic import Alembic

from ..backends import Backend
from ..backends import by_id
from ..backends import DatabaseFactory
from ..backends import EngineFactory
from ..backends import on
from ..direct import execute
from ..harness import Caller
from ..harness import ids
from ..harness import make_app
from ..harness import one_connection
from ..racing import RaceZygote
from ..racing import read_journal
from ..racing import REVISIONS
from ..racing import use_wal
from ..racing import write_history
from ..twins import on_each_kind
from ..twins import on_postgresql
from ..twins import on_sqlite
from ..twins import ONE_EACH


@pytest.fixture(scope="module")
def zygote() -> Iterator[RaceZygote]:
    with RaceZygote() as zygote:
        yield zygote


def assert_one_migrates(
    zygote: RaceZygote, root: Path, url: sa.URL, context: Mapping[str, Any] = {}
) -> None:
    """Let ten processes race, and again when nothing is left to do."""
    race = zygote.race(root, url, 10, ALEMBIC_CONTEXT=dict(context))
    assert race.errors == []
    assert race.applied == read_journal(url) == REVISIONS
    versions = execute(url, "SELECT version_num FROM alembic_version")
    assert versions == [(REVISIONS[-1],)]

    again = zygote.race(root, url, 10, ALEMBIC_CONTEXT=dict(context))
    assert again.errors == again.applied == []
    assert read_journal(url) == REVISIONS


@on_each_kind
def test_one_of_ten_processes_migrates(
    backend: Backend,
    database_factory: DatabaseFactory,
    zygote: RaceZygote,
    tmp_path: Path,
) -> None:
    write_history(tmp_path)
    assert_one_migrates(zygote, tmp_path, database_factory(backend))


@on([by_id("sqlite-aiosqlite"), by_id("postgresql-asyncpg")])
def test_one_migrates_although_each_revision_is_committed(
    backend: Backend,
    database_factory: DatabaseFactory,
    zygote: RaceZygote,
    tmp_path: Path,
) -> None:
    """The others are kept out between two revisions as well."""
    write_history(tmp_path)
    assert_one_migrates(zygote, tmp_path, database_factory(backend), ONE_EACH)


@on_sqlite
@pytest.mark.parametrize("context", [{}, ONE_EACH], ids=["one_transaction", "one_each"])
def test_one_migrates_although_the_others_can_read_meanwhile(
    context: dict[str, Any],
    backend: Backend,
    database_factory: DatabaseFactory,
    zygote: RaceZygote,
    tmp_path: Path,
) -> None:
    """With a WAL they see the database as it was before."""
    write_history(tmp_path)
    url = database_factory(backend)
    use_wal(url)
    assert_one_migrates(zygote, tmp_path, url, context)


@on_postgresql
def test_an_index_is_built_concurrently_while_the_others_wait(
    backend: Backend,
    database_factory: DatabaseFactory,
    zygote: RaceZygote,
    tmp_path: Path,
) -> None:
    """It waits for the transactions that are open, and would so for one whose statement
    waits for the lock: forever.
    """
    build = """
        with op.get_context().autocommit_block():
            op.create_index(
                "ix_users_name", "users", ["name"], postgresql_concurrently=True
            )
        """
    write_history(tmp_path, b3=build)
    url = database_factory(backend)
    assert_one_migrates(zygote, tmp_path, url)
    query = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_users_name'"
    assert execute(url, f"{query}::regclass") == [(True,)]


def upgrade_all(caller: Caller, alembics: Sequence[Alembic]) -> list[str]:
    """Upgrade with all of them at the same time, in tasks or in threads.

    :return: What they have applied.
    """

    async def in_tasks() -> list[list[Script]]:
        return await asyncio.gather(*(alembic.upgrade() for alembic in alembics))

    if caller.awaited:
        applied = caller.run(in_tasks())
    else:
        with concurrent.futures.ThreadPoolExecutor(len(alembics)) as executor:
            applied = [*executor.map(lambda a: a.sync.upgrade(), alembics)]

    return sorted(revision for scripts in applied for revision in ids(scripts))


@on_postgresql
def test_fifty_can_wait_in_one_process(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """They are more than the threads that a loop has for its tasks."""
    write_history(tmp_path, b5="op.execute('SELECT pg_sleep(0.5)')")
    app = make_app("quart", tmp_path)
    url = engines(backend).url
    alembics = [
        Alembic(
            app,
            metadatas=sa.MetaData(),
            engines=engines(backend, url, poolclass=sa.NullPool),
            command_name="",
        )
        for _ in range(50)
    ]
    assert upgrade_all(caller, alembics) == read_journal(url) == REVISIONS


@pytest.mark.parametrize("pool", ["one_connection", "no_pool"])
@on_each_kind
def test_ten_can_share_an_engine(
    backend: Backend, pool: str, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """The lock must not need a second connection of a pool that has one."""
    write_history(tmp_path)
    app = make_app("quart", tmp_path)
    no_pool = {"poolclass": sa.NullPool}
    options = no_pool if pool == "no_pool" else one_connection(backend)
    engine = engines(backend, **options)
    alembic = Alembic(app, metadatas=sa.MetaData(), engines=engine)
    assert upgrade_all(caller, [alembic] * 10) == read_journal(engine.url) == REVISIONS
