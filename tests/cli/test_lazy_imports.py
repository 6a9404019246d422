"""What it costs to have the group."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from ..harness import Framework
from ..harness import write_revision
from .project import BOTH_KINDS
from .project import IMPORT
from .project import run
from .project import write_app


def modules_of(root: Path, *args: str) -> tuple[set[str], str]:
    """The modules that a process imports, and what it prints."""
    _, output, errors = run(root, "-X", "importtime", *args)
    return {*IMPORT.findall(errors)}, output


HEAVY = {
    *("alembic", "mako", "aiosqlite", "asyncpg", "psycopg", "psycopg2"),
    *("pymysql", "asyncmy", "aiomysql"),
}
LAZY_APP = """
import sqlalchemy as sa
from {framework} import {Framework}
from async_alembic import Alembic, SyncAlembic

app = {Framework}("shop", root_path={root!r})
app.config["ALEMBIC"] = {{"sqlalchemy.url": "sqlite+aiosqlite:///shop.db"}}
{shell}(app, metadatas=sa.MetaData())
"""


@pytest.mark.parametrize(
    ("framework", "shell", "args"),
    [
        ("flask", "Alembic", ("--help",)),
        ("flask", "SyncAlembic", ("db", "--help")),
        ("quart", "Alembic", ("--help",)),
        ("quart", "SyncAlembic", ("db", "upgrade", "--help")),
        ("quart", "Alembic", ("-c", "import shop")),
    ],
)
def test_alembic_is_not_loaded_before_a_command_needs_it(
    framework: Framework, shell: str, args: tuple[str, ...], tmp_path: Path
) -> None:
    """An app imports the extension at each start, and ``--help`` is to be quick."""
    text = textwrap.dedent(LAZY_APP).format(
        framework=framework,
        Framework=framework.title(),
        root=str(tmp_path),
        shell=shell,
    )
    (tmp_path / "shop.py").write_text(text)
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations/script.py.mako").touch()
    write_revision(tmp_path / "migrations", "a1")

    if args[0] != "-c":
        args = ("-m", framework, "--app", "shop", *args)

    modules, output = modules_of(tmp_path, *args)
    assert "async_alembic.extension.base" in modules
    assert not modules & HEAVY
    assert ("db" in output) == (args[0] != "-c")


def test_the_import_of_the_package_loads_no_framework(tmp_path: Path) -> None:
    modules, _ = modules_of(tmp_path, "-c", "import async_alembic")
    assert not modules & {*HEAVY, "flask", "quart"}


def test_an_app_on_flask_does_not_load_quart(tmp_path: Path) -> None:
    write_app("flask", BOTH_KINDS[1], tmp_path)
    write_revision(tmp_path / "migrations", "a1")
    args = ("-m", "flask", "--app", "shop:create_app", "db", "upgrade")
    modules, output = modules_of(tmp_path, *args)
    assert "upgrade a1" in output
    assert "quart" not in modules
