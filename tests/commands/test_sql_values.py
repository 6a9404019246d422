"""A script has the values that an upgrade inserts, or is refused as the upgrade is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from async_alembic import MigrationError
from async_alembic.errors import OfflineError

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..backends import on
from ..harness import Caller
from ..harness import write_revision
from ..projects import Project
from .test_sql import Client
from .test_sql import on_each_client

TABLE = """\
t = sa.Table(
    "t",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("a", sa.String(30)),
    sa.Column("b", sa.Integer, default=5, onupdate=6),
    sa.Column("c", sa.Integer, default=lambda: 7),
)
"""
CREATE = """\
op.create_table(
    "t",
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("a", sa.String(30)),
    sa.Column("b", sa.Integer),
    sa.Column("c", sa.Integer),
)"""
INSERT = "INSERT INTO t (id, a) VALUES (1, {})"


def write(project: Project, code: str) -> None:
    write_revision(project.folder, "a1", None, CREATE)
    write_revision(project.folder, "b2", "a1", code, top=TABLE)


@on_each_client
@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("op.execute('INSERT INTO t (id, a) VALUES (1, \\'{\"x\":true}\\')')", "true"),
        (f"op.execute(sa.text('{INSERT.format(':x')}'))", "x"),
        ("op.execute(t.insert().values(id=1, a=sa.bindparam('x')))", "x"),
        (f"op.get_bind().execute(sa.text('{INSERT.format(':x')}'))", "x"),
    ],
)
def test_a_parameter_without_a_value_is_refused(
    code: str,
    name: str,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    """SQLAlchemy writes ``NULL`` for it, also within a text."""
    project = Project(tmp_path, engines, backend=backend)
    write(project, code)
    sentence = f"A value is required for bind parameter '{name}'"

    for method in ("upgrade_sql", "plan"):
        with pytest.raises(OfflineError, match=sentence) as e:
            caller(project.alembic, method)

        assert e.value.revision == "b2"
        assert f"escape a colon that names no parameter: '\\:{name}'." in str(e.value)

    with pytest.raises(MigrationError, match=sentence):
        caller(project.alembic, "upgrade")


@on_each_client
@pytest.mark.parametrize(
    ("code", "rows"),
    [
        (
            "op.execute('INSERT INTO t (id, a) VALUES (1, \\'{\"x\"\\\\:true}\\')')",
            [(1, '{"x":true}', None, None)],
        ),
        (
            f"op.execute(sa.text('{INSERT.format(':x')}').bindparams(x=None))",
            [(1, None, None, None)],
        ),
        (
            f"op.get_bind().execute(sa.text('{INSERT.format(':x')}'), {{'x': None}})",
            [(1, None, None, None)],
        ),
        ("op.execute(t.insert().values(id=1))", [(1, None, 5, 7)]),
        (
            "op.bulk_insert(t, [{'id': 1, 'b': None}])\n"
            "op.execute(t.update().values(a='x'))",
            [(1, "x", 6, 7)],
        ),
        (
            "op.bulk_insert(t, [{'id': 1}, {'id': 2, 'a': 'x'}, {'id': 3, 'b': 4}])",
            [(1, None, 5, 7), (2, "x", 5, 7), (3, None, 4, 7)],
        ),
        (
            "op.bulk_insert(t, [{'id': 1, 'a': 'x'}, {'a': 'y', 'id': 2}])",
            [(1, "x", 5, 7), (2, "y", 5, 7)],
        ),
    ],
)
def test_a_script_inserts_what_an_upgrade_inserts(
    code: str,
    rows: list[Any],
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    """Defaults of Python, and values that only later rows have, as well."""
    project = Project(tmp_path, engines, backend=backend)
    write(project, code)
    query = "SELECT id, a, b, c FROM t ORDER BY id"
    script = caller(project.alembic, "upgrade_sql")["default"]
    caller(project.alembic, "upgrade")
    assert caller.query(project.engine, query) == rows
    caller.execute(project.engine, "DROP TABLE t", "DROP TABLE alembic_version")
    Client(project.engine.url)(script)
    assert caller.query(project.engine, query) == rows


@on([by_id("sqlite-aiosqlite"), by_id("postgresql-asyncpg"), by_id("mariadb-asyncmy")])
def test_no_value_of_a_later_row_is_lost(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """With an async driver."""
    project = Project(tmp_path, engines, backend=backend)
    write(project, "op.bulk_insert(t, [{'id': 1}, {'id': 2, 'a': 'x', 'other': 1}])")
    caller(project.alembic, "upgrade")
    query = "SELECT id, a FROM t ORDER BY id"
    assert caller.query(project.engine, query) == [(1, None), (2, "x")]
