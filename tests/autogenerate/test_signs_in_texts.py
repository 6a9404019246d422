"""What the database has is what the models and the revisions say, also where drivers
take a percent sign for a placeholder, and SQLAlchemy a colon for a parameter.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hypothesis import example
from hypothesis import given
from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql
from sqlalchemy.pool import NullPool

from async_alembic import Alembic

from ..backends import Backend
from ..backends import EngineFactory
from ..backends import on
from ..backends import SHARED_BACKENDS
from ..harness import AnyEngine
from ..harness import awaited_only
from ..harness import Caller
from ..harness import make_app
from ..harness import write_revision
from ..round_trips.trips import wipe

TEXTS = ["%", "%%", "%s", "%(x)s"]
COLONS = [":", ":a", "::a", ":a:a", ":aa:aa", '{"a":1}', "a:a ::"]


def has_sign(text: str) -> bool:
    return "%" in text or ":" in text


def in_sql(text: str) -> str:
    """A literal in ``sa.text()``."""
    return "'" + text.replace(":", "\\:") + "'"


pytestmark = pytest.mark.skipif(
    sa.__version__.startswith("2.0."),
    reason="SQLAlchemy takes '%(x)s' for a parameter, and MySQL's enums for formats.",
)
some_texts = st.lists(
    st.lists(st.sampled_from([*TEXTS, *COLONS, "a"]), min_size=1, max_size=4)
    .map("".join)
    .filter(lambda text: has_sign(text) and len(text) < 20),
    min_size=1,
    max_size=3,
)

#: Queries whose rows are all that a database keeps of a text.
CATALOGS = {
    "sqlite": "SELECT sql FROM sqlite_master WHERE tbl_name = '{table}' ORDER BY 1",
    "mariadb": "SHOW CREATE TABLE {table}",
    "postgresql": (
        "SELECT pg_get_constraintdef(oid) AS d FROM pg_constraint"
        " WHERE conrelid = '{table}'::regclass AND contype IN ('c', 'x')"
        " UNION ALL SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef"
        " WHERE adrelid = '{table}'::regclass"
        " UNION ALL SELECT indexdef FROM pg_indexes WHERE tablename = '{table}'"
        " UNION ALL SELECT quote_literal(description) FROM pg_description"
        " WHERE objoid = '{table}'::regclass"
        " UNION ALL SELECT quote_literal(enumlabel) FROM pg_enum e"
        " JOIN pg_attribute a ON a.atttypid = e.enumtypid"
        " WHERE a.attrelid = '{table}'::regclass ORDER BY 1"
    ),
}


def models(texts: list[str], database: str, *, small: bool = False) -> sa.MetaData:
    """Two tables for each text, one of which can lose what has it."""
    metadata = sa.MetaData()

    for number, text in enumerate(texts):
        fixed = sa.Table(
            f"fixed{number}",
            metadata,
            sa.Column("n", sa.String(20)),
            sa.Column("kind", sa.Enum(f"a{text}", "b", name=f"kind{number}")),
            sa.CheckConstraint(f"n <> {in_sql(text)}", name=f"c{number}"),
        )
        table = sa.Table(
            f"small{number}",
            metadata,
            sa.Column("n", sa.String(20)),
            comment=None if small else text,
        )

        if database == "postgresql":
            fixed.append_column(sa.Column("r", postgresql.INT4RANGE))
            fixed.append_constraint(
                postgresql.ExcludeConstraint(
                    ("r", "&&"),
                    where=sa.text(f"n <> {in_sql(text)}"),
                    name=f"e{number}",
                )
            )

        if not small:
            add_all(table, text, database)

    return metadata


def add_all(table: sa.Table, text: str, database: str) -> None:
    computed: Any = sa.func.concat(sa.column("n"), text)

    if database != "mariadb":
        computed = sa.column("n").op("||")(sa.literal_column(f"'{text}'"))
        sa.Index(
            f"ix_{table.name}",
            table.c.n,
            postgresql_where=sa.text(f"n <> {in_sql(text)}"),
            sqlite_where=sa.text(f"n <> {in_sql(text)}"),
        )

    for column in (
        sa.Column("plain", sa.String(20), server_default=text, comment=text),
        sa.Column("sql", sa.String(20), server_default=sa.text(in_sql(text))),
        sa.Column("computed", sa.String(30), sa.Computed(computed, persisted=True)),
    ):
        table.append_column(column)


class Site:
    """An app on a database of its own."""

    def __init__(
        self, backend: Backend, caller: Caller, engine: AnyEngine, root: Path
    ) -> None:
        self.backend = backend
        self.caller = caller
        self.engine = engine
        self.root = root / uuid4().hex

    def begin(self) -> None:
        """Begin with an empty database and no revisions."""
        self.root = self.root.with_name(uuid4().hex)
        self.caller.begin(self.engine, wipe)

    @property
    def folder(self) -> Path:
        return self.root / "migrations"

    def call(self, metadata: sa.MetaData, method: str, *args: Any) -> Any:
        app = make_app("flask", self.root)
        alembic = Alembic(app, metadatas=metadata, engines=lambda: self.engine)
        return self.caller(alembic, method, *args)

    def migrate(self, metadata: sa.MetaData) -> None:
        self.call(metadata, "revision", "change")
        self.call(metadata, "upgrade")
        assert self.call(metadata, "compare_metadata") == []

    def check(self, texts: list[str]) -> None:
        has_type = self.backend.database != "sqlite"

        for number, text in enumerate(texts):
            kinds = {f"a{text}"} if has_type else set()
            assert {*self.found(f"fixed{number}")} == {text, *kinds}
            assert {*self.found(f"small{number}")} == {text}

    def catalog(self, table: str) -> str:
        query = CATALOGS[self.backend.database].format(table=table)
        rows = self.caller.query(self.engine, query)
        return "\n".join(str(value) for row in rows for value in row)

    def found(self, table: str) -> list[str]:
        """The texts with a sign that are in the definition of a table."""
        texts = re.findall(r"'([^']*)'", self.catalog(table))
        return sorted(text for text in texts if has_sign(text))


@pytest.fixture
def site(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> Site:
    return Site(backend, caller, engines(backend, poolclass=NullPool), tmp_path)


#: The texts of a hand-written revision, and what the database has of them.
BY_HAND = """
op.create_table(
    "fixed0",
    sa.Column("n", sa.String(20)),
    sa.Column("kind", sa.Enum({text!r}, name="kind0")),
    sa.Column("plain", sa.String(20), server_default={text!r}),
    sa.CheckConstraint("n <> '{text}'", name="c0"),
    comment={text!r},
)
op.create_table("small0", sa.Column("n", sa.String(20)))

with op.batch_alter_table("small0") as batch:
    default = sa.text("'{text}'")
    batch.add_column(sa.Column("sql", sa.String(20), server_default=default))
    batch.add_column(sa.Column("plain", sa.String(20), server_default="a"))
    batch.create_check_constraint("c1", "n <> '{text}'")

with op.batch_alter_table("small0") as batch:
    batch.alter_column(
        "plain", existing_type=sa.String(20), server_default={text!r}, comment={text!r}
    )

texts = sa.table("texts", sa.column("t", sa.String))
op.create_table("texts", sa.Column("t", sa.String(20)), sa.Column("how", sa.Integer))
op.execute("INSERT INTO texts VALUES ('{text}', 0)")
op.execute(sa.text("INSERT INTO texts VALUES ('{text}', 1)"))
op.execute(sa.text("INSERT INTO texts VALUES (:x, 2)").bindparams(x={text!r}))
op.execute(sa.DDL("INSERT INTO texts VALUES ('{doubled}', 3)"))
op.execute(texts.insert().values(t=sa.literal_column("'{text}'")))
op.bulk_insert(texts, [{{"t": {text!r}}}])
op.get_bind().execute(sa.text("INSERT INTO texts VALUES ('{text}', 6)"))
"""


@on(SHARED_BACKENDS)
@awaited_only
@settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    suppress_health_check=[*HealthCheck],
)
@example(texts=[*TEXTS, *COLONS])
@given(texts=some_texts)
def test_the_database_has_the_texts_of_the_models(
    backend: Backend, site: Site, texts: list[str]
) -> None:
    site.begin()
    site.migrate(models(texts, backend.database))
    site.check(texts)
    before = [site.found(f"small{n}") for n in range(len(texts))]

    # What is reflected is written as well.
    site.migrate(models(texts, backend.database, small=True))
    site.call(models(texts, backend.database), "downgrade", -1)
    assert [site.found(f"small{n}") for n in range(len(texts))] == before


@on(SHARED_BACKENDS)
@awaited_only
@pytest.mark.parametrize("text", TEXTS)
def test_the_database_has_the_texts_of_a_revision(site: Site, text: str) -> None:
    body = BY_HAND.format(text=text, doubled=text.replace("%", "%%"))
    write_revision(site.folder, "a1", upgrade=body)
    site.call(sa.MetaData(), "upgrade")
    assert {*site.found("fixed0")} == {*site.found("small0")} == {text}
    rows = site.caller.query(site.engine, "SELECT t FROM texts")
    assert rows == [(text,)] * 7
