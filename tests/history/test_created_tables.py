"""What the files tell of the tables that revisions create."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from async_alembic.history.created_tables import CreatedTables


def created(tmp_path: Path, code: str) -> CreatedTables:
    file = tmp_path / "a1.py"
    file.write_text(f"def upgrade():\n{textwrap.indent(code, '    ')}\n", "utf-8")
    return CreatedTables([str(file)], ["", "log"])


@pytest.mark.parametrize(
    ("code", "schema"),
    [
        ("op.create_table('shop', sa.Column('id', sa.Integer))", None),
        ("op.create_table(table_name='shop')", None),
        ("op.create_table('shop', schema=None)", None),
        ("op.create_table('shop', schema='app')", "app"),
        ("op.create_table('shop', schema=SCHEMA)", "app"),
        ("op.create_table('shop', schema='main')", None),
        ("operations.create_table('shop')", None),
        ("op.rename_table('store', 'shop')", None),
        ("op.rename_table('store', new_table_name='shop', schema='app')", "app"),
        ("op.execute('CREATE TABLE shop (id int)')", None),
        ("op.execute('create table if not exists shop(id int)')", None),
        ("op.get_bind().execute(sa.text('CREATE TABLE shop (id int)'))", None),
        ("op.execute('-- first\\nCREATE TABLE shop (id int)')", None),
        ("op.execute('INSERT INTO x VALUES (1); CREATE TABLE shop (id int)')", None),
        ("op.execute('CREATE UNLOGGED TABLE\\n  app . shop (id int)')", "app"),
        ('op.execute(\'CREATE TABLE "app"."shop" (id int)\')', "app"),
        ("op.execute('CREATE TABLE `shop` (id int)')", None),
        ("op.execute('CREATE TABLE Shop (id int)')", None),
        ("op.execute('ALTER TABLE store RENAME TO shop')", None),
        ("op.execute('''SELECT 1;\nCREATE TABLE shop AS SELECT 1''')", None),
    ],
)
def test_a_table_is_found(code: str, schema: str | None, tmp_path: Path) -> None:
    tables = created(tmp_path, code)
    assert tables.has(schema, "shop", "main", "")
    assert not tables.has("another", "shop", "main", "") or "SCHEMA" in code
    assert not tables.has(schema, "store", "main", "")


@pytest.mark.parametrize(
    "code",
    [
        "op.execute('INSERT INTO shop VALUES (1)')",
        "op.execute('CREATE TEMPORARY TABLE shop (id int)')",
        "op.execute(\"INSERT INTO x VALUES ('please; CREATE TABLE shop')\")",
        "op.execute('-- CREATE TABLE shop\\nSELECT 1')",
        "op.execute('CREATE TABLE \"Shop\" (id int)')",
        "op.create_table('Shop')",
        "log('CREATE TABLE shop (id int)')",
        "'CREATE TABLE shop'",
        "op.execute('CREATE INDEX shop ON store (id)')",
        "op.create_table('shops')",
        "op.create_table('store', comment='shop')",
        "op.drop_table('shop')",
        "op.rename_table('shop', 'store')",
        "op.create_table(*names)",
        "op.rename_table('shop')",
        "create_table('shop')",
        "# op.create_table('shop')\npass",
    ],
)
def test_a_table_that_is_only_named_is_not(code: str, tmp_path: Path) -> None:
    """The row of another program's table may be all that a revision needs."""
    assert not created(tmp_path, code).has(None, "shop", "main", "")


@settings(max_examples=50)
@given(name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_name_is_found(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    code = f"op.create_table({name!r}, sa.Column('id', sa.Integer))"
    tables = created(tmp_path_factory.mktemp("any"), code)
    assert tables.has(None, name, None, "")
    assert not tables.has(None, f"{name}2", None, "")


def test_files_that_tell_nothing_are_skipped(tmp_path: Path) -> None:
    bytecode, broken, encoded = (tmp_path / name for name in ("a.pyc", "b.py", "c.py"))
    bytecode.write_bytes(b"\x00\xff\xfe")
    broken.write_bytes(b"# coding: none\n")
    encoded.write_bytes("# coding: latin-1\nop.create_table('é')".encode("latin-1"))
    paths = [*map(str, [bytecode, broken, encoded, tmp_path / "gone.py"])]
    assert CreatedTables(paths, []).has(None, "é", None, "")
    assert not CreatedTables(paths, []).has(None, "shop", None, "")


def test_what_a_downgrade_creates_is_gone(tmp_path: Path) -> None:
    """Every generated one creates again what its upgrade drops."""
    file = tmp_path / "a1.py"
    file.write_text("def downgrade():\n    op.create_table('shop')\n")
    assert not CreatedTables([str(file)], []).has(None, "shop", None, "")


def test_each_database_has_functions_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "a1.py"
    file.write_text(
        "def upgrade_log():\n    op.create_table('visit')\n\n"
        "def upgrade_helper():\n    op.create_table('shop')\n"
    )
    tables = CreatedTables([str(file)], ["", "log"])
    assert tables.has(None, "visit", None, "log")
    assert not tables.has(None, "visit", None, "")
    assert tables.has(None, "shop", None, "log")
    assert tables.has(None, "shop", None, "")


def test_sql_can_be_a_constant(tmp_path: Path) -> None:
    file = tmp_path / "a1.py"
    file.write_text(
        "SQL = 'CREATE TABLE shop'\n\ndef upgrade():\n    op.execute(SQL)\n"
    )
    assert CreatedTables([str(file)], []).has(None, "shop", None, "")
