"""A history that is near, but not in the script directory, is never passed over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic import ScriptLocationError
from async_alembic import UnknownRevisionInDatabaseError

from ..backends import by_id
from ..backends import EngineFactory
from ..harness import Caller
from ..harness import ids
from ..harness import make_app
from ..harness import write_revision

METHODS = [
    ("upgrade",),
    ("revision", "users"),
    ("stamp",),
    ("compare_metadata",),
    ("current",),
    ("heads",),
    ("status",),
    ("mkdir",),
    ("init",),
]


class Shop:
    """A package ``shop``, with its history beside it."""

    def __init__(self, root: Path, engines: EngineFactory) -> None:
        self.root = root
        self.engine = engines(by_id("sqlite-aiosqlite"))

    def alembic(self, run_mkdir: bool = True, **options: object) -> Alembic:
        self.app = make_app("quart", self.root / "shop", ALEMBIC=options)
        return Alembic(
            self.app,
            metadatas=sa.MetaData(),
            engines=self.engine,
            run_mkdir=run_mkdir,
        )


@pytest.fixture
def shop(tmp_path: Path, engines: EngineFactory) -> Shop:
    return Shop(tmp_path, engines)


@pytest.mark.parametrize("call", METHODS, ids=lambda call: call[0])
def test_the_folder_beside_the_package_is_named(
    call: tuple[str, ...], shop: Shop, caller: Caller
) -> None:
    """As Flask-Migrate makes it. To upgrade from an empty folder would do nothing, and
    a revision in it would have no parent.
    """
    write_revision(shop.root / "migrations/versions", "a1")
    alembic = shop.alembic()

    with pytest.raises(ScriptLocationError) as info:
        caller(alembic, *call)

    assert str(shop.root / "migrations") == info.value.found
    assert '{"script_location": "../migrations"}' in str(info.value)
    assert not (shop.root / "shop/migrations").exists()
    alembic = shop.alembic(script_location="../migrations")
    assert ids(caller(alembic, "upgrade")) == ["a1"]


def test_an_empty_folder_from_an_earlier_start_does_not_hide_it(
    shop: Shop, caller: Caller
) -> None:
    (shop.root / "shop/migrations").mkdir(parents=True)
    (shop.root / "shop/migrations/script.py.mako").touch()
    write_revision(shop.root / "migrations", "a1")

    with pytest.raises(ScriptLocationError, match="has no revisions, but"):
        caller(shop.alembic(), "upgrade")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("alembic.ini", "[alembic]\nscript_location = %(here)s/db/history\n"),
        ("alembic.ini", "[alembic]\nscript_location = db/history\n"),
        ("pyproject.toml", "[tool.alembic]\nscript_location = '%(here)s/db/history'\n"),
    ],
)
def test_where_alembics_own_file_points_is_named(
    name: str, text: str, shop: Shop, caller: Caller
) -> None:
    (shop.root / name).write_text(text)
    write_revision(shop.root / "db/history/versions", "a1")

    with pytest.raises(ScriptLocationError, match=r'"\.\./db/history"'):
        caller(shop.alembic(), "upgrade")


def test_the_working_directory_is_searched(
    shop: Shop,
    caller: Caller,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    write_revision(elsewhere / "migrations", "a1")

    with pytest.raises(ScriptLocationError) as info:
        caller(shop.alembic(), "upgrade")

    assert info.value.found == str(elsewhere / "migrations")


def test_a_folder_that_has_revisions_is_not_searched_around(
    shop: Shop, caller: Caller
) -> None:
    write_revision(shop.root / "migrations", "a1")
    write_revision(shop.root / "shop/migrations", "b1")
    assert ids(caller(shop.alembic(), "upgrade")) == ["b1"]


@pytest.mark.parametrize(
    ("folder", "options"),
    [
        ("shop/plugins", {"version_locations": ["plugins"]}),
        ("shop/migrations/2026", {"recursive_version_locations": True}),
    ],
)
def test_revisions_in_other_folders_are_the_apps(
    folder: str, options: dict[str, Any], shop: Shop, caller: Caller
) -> None:
    write_revision(shop.root / "migrations", "a1")
    write_revision(shop.root / folder, "b1")
    alembic = shop.alembic(**options)
    assert ids(caller(alembic, "upgrade")) == ["b1"]
    assert (shop.root / "shop/migrations/script.py.mako").exists()


def test_an_absolute_path_is_certain(shop: Shop, caller: Caller) -> None:
    """A second app of a project can begin its own history."""
    write_revision(shop.root / "migrations", "a1")
    alembic = shop.alembic(script_location="%(here)s/migrations")
    assert caller(alembic, "upgrade") == []
    assert (shop.root / "shop/migrations").is_dir()


def test_files_that_are_no_revisions_are_no_history(shop: Shop, caller: Caller) -> None:
    folder = shop.root / "migrations"
    folder.mkdir()
    (folder / "env.py").write_text("from alembic import context\n")
    (folder / "helpers.py").write_text("revision_limit = 3\n")
    assert caller(shop.alembic(), "upgrade") == []


@pytest.mark.parametrize("method", ["upgrade", "current", "needs_upgrade"])
def test_a_database_that_is_ahead_of_an_empty_folder_is_not_told_to_purge(
    method: str, shop: Shop, caller: Caller
) -> None:
    path = write_revision(shop.root / "shop/migrations", "a1")
    alembic = shop.alembic()
    caller(alembic, "upgrade")
    path.unlink()

    with pytest.raises(UnknownRevisionInDatabaseError) as info:
        caller(alembic, method)

    text = str(info.value)
    assert text.startswith(f"The script directory '{path.parent}' has no revisions.")
    assert "a1" in text
    assert "--purge" not in text
