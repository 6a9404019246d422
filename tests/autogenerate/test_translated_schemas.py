"""Engines with a ``schema_translate_map``, as for a schema of each tenant."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import comparators

from async_alembic import Alembic

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..harness import Caller
from ..harness import ids
from ..harness import make_app

pytestmark = pytest.mark.skipif(
    not hasattr(comparators, "populate_with"), reason="Plugins are new in Alembic 1.18."
)


def models(*columns: str) -> sa.MetaData:
    """What is read with the name of a schema: keys, foreign keys, types, defaults."""
    metadata = sa.MetaData()
    mood = sa.Enum("good", "bad", name="mood")
    sa.Table(
        "kind",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(20), unique=True, server_default="x"),
        sa.Column("mood", mood),
    )
    sa.Table(
        "item",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind_id", sa.ForeignKey("kind.id"), index=True),
        sa.Column("price", sa.Integer, server_default=sa.text("(1 + 1)")),
        *[sa.Column(name, sa.Integer) for name in columns],
    )
    return metadata


@on(
    [
        by_id("postgresql-psycopg2"),
        by_id("postgresql-asyncpg"),
        by_id("mariadb-pymysql"),
    ]
)
def test_comparisons_look_where_migrations_write(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    other = engines(backend)
    tenant = str(other.url.database)
    url = other.url

    if backend.database == "postgresql":
        tenant = "tenant"
        caller.execute(other, "CREATE SCHEMA tenant")
        # What is here is not the tenant's.
        caller.execute(other, "CREATE TABLE item (id int)")
    else:
        # A schema is a database.
        url = engines(backend).url

    options = {"schema_translate_map": {None: tenant}}
    engine = engines(backend, url, execution_options=options)
    app = make_app("flask", tmp_path)
    metadata = models()
    alembic = Alembic(app, metadatas=metadata, engines=engine)
    assert caller(alembic, "revision", "first")
    caller(alembic, "upgrade")
    assert caller(alembic, "compare_metadata") == []
    changed = Alembic(app, metadatas=models("stock"), engines=engine)
    [difference] = caller(changed, "compare_metadata")
    assert difference[:3] == ("add_column", None, "item")
    [script] = caller(changed, "revision", "second")
    assert "tenant" not in Path(script.path).read_text()
    assert ids(caller(changed, "upgrade")) == [script.revision]
    assert caller(changed, "compare_metadata") == []
    assert caller.query(engine, f"SELECT stock FROM {tenant}.item") == []
    caller(changed, "downgrade", "base")
    assert caller.query(engine, f"SELECT * FROM {tenant}.alembic_version") == []
