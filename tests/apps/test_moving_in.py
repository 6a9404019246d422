"""``move_in()`` writes down what Alembic's files and Flask-Migrate say, as settings."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from typing import cast

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_migrate import Migrate  # type: ignore[import-untyped]
from flask_sqlalchemy import SQLAlchemy
from mako.template import Template  # type: ignore[import-untyped]

from async_alembic import Alembic
from async_alembic import ConfigurationError
from async_alembic import MoveIn

from ..backends import Backend
from ..backends import EngineFactory
from ..backends import on
from ..cli.project import invoke
from ..harness import AnyEngine
from ..harness import awaited_only
from ..harness import Caller
from ..harness import Framework
from ..harness import make_app
from ..harness import on_both_frameworks
from ..harness import ONE_OF_EACH_KIND
from ..harness import write_revision

BOTH = ONE_OF_EACH_KIND[:2]
ENV_PY = """\
import re
from alembic import context
from sqlalchemy import event

LEGACY = re.compile("legacy")


def is_legacy(name):
    return LEGACY.match(name)


def include_object(object, name, type_, reflected, compare_to):
    # They are another program's.
    return not (type_ == "table" and is_legacy(name))


def run_migrations_offline():
    context.configure(url="x", include_object=include_object, version_table="versions")


def run_migrations_online():
    context.configure(
        connection=connection,
        include_object=include_object,
        version_table="versions",
    )
"""
INI = """\
[alembic]
script_location = migrations
version_locations = migrations/versions more
path_separator = space
timezone = UTC
prepend_sys_path = .

[post_write_hooks]
hooks = format
format.type = exec
format.executable = ruff
"""
SETTINGS = """\
import re


LEGACY = re.compile("legacy")


def is_legacy(name):
    return LEGACY.match(name)


def include_object(object, name, type_, reflected, compare_to):
    # They are another program's.
    return not (type_ == "table" and is_legacy(name))

ALEMBIC = {
    "script_location": "../migrations",
    "version_locations": ["../migrations/versions", "../more"],
    "timezone": "UTC",
    "prepend_sys_path": ["%(here)s/.."],
    "post_write_hooks": {
        "hooks": "format",
        "format.type": "exec",
        "format.executable": "ruff",
    },
}

ALEMBIC_CONTEXT = {
    "include_object": include_object,
    "version_table": 'versions',
}

# All of it is carried over.
ALEMBIC_IGNORE_ENV_PY = True
"""


def keep_all(*args: object) -> bool:
    return True


class Shop:
    """A package ``shop`` with a history beside it, whose database is at head, and has a
    table that ``env.py`` leaves out.
    """

    def __init__(self, root: Path, engine: AnyEngine, look: Caller) -> None:
        self.root = root
        self.engine = engine
        write_revision(root / "migrations/versions", "a1")
        (root / "more").mkdir()
        (root / "migrations/env.py").write_text(ENV_PY)
        (root / "alembic.ini").write_text(INI)
        look.execute(
            engine,
            "CREATE TABLE legacy (id INTEGER PRIMARY KEY)",
            "CREATE TABLE versions (version_num VARCHAR(32) PRIMARY KEY)",
            "INSERT INTO versions VALUES ('a1')",
        )

    def edit_env_py(self, old: str, new: str) -> None:
        path = self.root / "migrations/env.py"
        path.write_text(path.read_text().replace(old, new))

    def alembic(
        self,
        framework: Framework = "flask",
        metadata: sa.MetaData | None = None,
        settings: str | None = None,
        **config: Any,
    ) -> Alembic:
        app = make_app(framework, self.root / "shop", **config)

        if settings is not None:
            app.config.from_pyfile(settings)

        # The extension does not keep it.
        self.app = app
        metadata = metadata or sa.MetaData()
        return Alembic(app, metadatas=metadata, engines=self.engine)

    def files(self) -> dict[Path, bytes]:
        paths = (p for p in self.root.rglob("*") if p.suffix in {".py", ".ini"})
        return {path: path.read_bytes() for path in paths}


@pytest.fixture
def shop(
    tmp_path: Path,
    engines: EngineFactory,
    caller: Caller,
    backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
) -> Shop:
    # An alembic.ini changes it.
    monkeypatch.setattr(sys, "path", [*sys.path])
    return Shop(tmp_path, engines(backend), caller)


on_sqlite = on(BOTH[:1])


@on(ONE_OF_EACH_KIND)
@on_both_frameworks
def test_the_settings_take_the_place_of_the_files(
    framework: Framework, shop: Shop, caller: Caller
) -> None:
    """With them, the files can be deleted, and nothing is dropped."""
    files = shop.files()
    move: MoveIn = caller(shop.alembic(framework), "move_in")
    assert move == MoveIn(SETTINGS, (), None, (), None)
    assert shop.files() == files
    move = caller(shop.alembic(framework), "move_in", write=True)
    path = shop.root / "shop/alembic_settings.py"
    assert shop.files() == {**files, path: SETTINGS.encode()}
    assert move.path == str(path)
    (shop.root / "migrations/env.py").unlink()
    (shop.root / "alembic.ini").unlink()
    alembic = shop.alembic(framework, settings="alembic_settings.py")
    assert caller(alembic, "upgrade") == []
    assert caller(alembic, "compare_metadata") == []
    assert caller(alembic, "move_in") == MoveIn("", (), (), ())
    assert alembic.config.get_main_option("timezone") == "UTC"
    assert "legacy" in caller.tables(shop.engine)


@on_sqlite
def test_what_is_already_set_is_not_repeated(shop: Shop, caller: Caller) -> None:
    alembic = shop.alembic(
        ALEMBIC={"script_location": "../migrations", "timezone": "CET"},
        ALEMBIC_CONTEXT={"version_table": "versions", "tag": 1},
    )
    move: MoveIn = caller(alembic, "move_in")
    assert "timezone" not in move.settings
    assert "version_table" not in move.settings
    assert move.before == ("remove table legacy",)
    assert move.by_hand == (
        "app.config['ALEMBIC'] has 'script_location', 'timezone'; keep that",
        "app.config['ALEMBIC_CONTEXT'] has 'tag', 'version_table'; keep that",
    )


@on_sqlite
def test_what_cannot_be_carried_over_is_named_with_its_line(
    shop: Shop, caller: Caller
) -> None:
    shop.edit_env_py('re.compile("legacy")', "context.config.get_section('legacy')")
    shop.edit_env_py("def run_migrations_offline", "@event.listens_for(x)\ndef f")
    move: MoveIn = caller(shop.alembic(), "move_in")
    path = shop.root / "migrations/env.py"
    assert move.by_hand == (
        f"'listens_for' in line 17 of '{path}'",
        f"'include_object' in line 19 of '{path}'",
        f"'include_object' in line 25 of '{path}'",
    )
    assert f"#   {move.by_hand[0]}\n" in move.settings
    assert "ALEMBIC_IGNORE_ENV_PY" not in move.settings
    assert move.after == ("remove table legacy",)


@on_sqlite
def test_several_values_are_left_to_the_user(shop: Shop, caller: Caller) -> None:
    shop.edit_env_py('        version_table="versions"', '        version_table="x"')
    move: MoveIn = caller(shop.alembic(), "move_in")
    assert ["several values" in text for text in move.by_hand] == [True]
    assert "version_table" not in move.settings.partition("# By hand")[0]


@on_sqlite
def test_settings_that_do_not_load_are_not_written(shop: Shop, caller: Caller) -> None:
    shop.edit_env_py("import re\n", "import no_such_module as re\n")
    move: MoveIn = caller(shop.alembic(), "move_in", write=True)
    assert "the settings do not load: ModuleNotFoundError" in move.by_hand[-1]
    assert move.path is None


@on_sqlite
def test_a_file_that_is_there_is_kept(shop: Shop, caller: Caller) -> None:
    (shop.root / "shop").mkdir()
    (shop.root / "shop/alembic_settings.py").write_text("# mine\n")

    with pytest.raises(ConfigurationError, match="Nothing was changed"):
        caller(shop.alembic(), "move_in", write=True)

    assert (shop.root / "shop/alembic_settings.py").read_text() == "# mine\n"


@on_sqlite
def test_a_database_that_is_not_at_head_is_not_compared(
    shop: Shop, caller: Caller
) -> None:
    write_revision(shop.root / "migrations/versions", "b1", "a1")
    move: MoveIn = caller(shop.alembic(), "move_in")
    assert move.settings == SETTINGS
    assert move.after is None


@pytest.mark.parametrize(
    "text",
    [
        "url = postgresql://shop:hunter2@host/db",
        "api_token = hunter2",
        "[shop]\nPassword = hunter2",
    ],
)
@on_sqlite
def test_what_may_be_a_password_is_not_printed(
    text: str, shop: Shop, caller: Caller
) -> None:
    path = shop.root / "alembic.ini"
    path.write_text(INI.replace("\n[post", f"{text}\n\n[post"))
    move: MoveIn = caller(shop.alembic(), "move_in")
    assert "hunter2" not in str(move)
    assert len(move.by_hand) == 1
    assert str(path) in move.by_hand[0]


@on_sqlite
def test_arguments_for_flask_migrate_are_imported(shop: Shop, caller: Caller) -> None:
    (shop.root / "migrations/env.py").unlink()
    alembic = shop.alembic(SQLALCHEMY_DATABASE_URI="sqlite://")
    db = SQLAlchemy(cast("Flask", shop.app))
    Migrate(
        shop.app,
        db,
        command="old",
        include_name=keep_all,
        render_item=lambda *args: False,
        version_table="versions",
    )
    move: MoveIn = caller(alembic, "move_in")
    assert move.settings.startswith(f"from {__name__} import keep_all\n")
    assert '"include_name": keep_all,' in move.settings
    assert '"version_table": "versions",' in move.settings
    assert move.by_hand == ("'render_item' in Migrate(...)",)


@on(BOTH)
@on_both_frameworks
def test_the_command_prints_it_and_changes_nothing_without_yes(
    framework: Framework, shop: Shop, caller: Caller
) -> None:
    files = shop.files()
    shop.alembic(framework)
    result = invoke(shop.app, "db", "move-in")
    assert result.exit_code == 0
    assert result.output == (
        f"{SETTINGS}\n"
        "Not compared now: the database is not at head.\n"
        "Models and database agree with these settings.\n"
    )
    assert shop.files() == files
    result = invoke(shop.app, "db", "move-in", "--yes")
    assert "alembic_settings.py. Load it before 'init_app':" in result.output
    assert shop.files().keys() - files == {shop.root / "shop/alembic_settings.py"}


@on_sqlite
def test_the_command_fails_if_models_and_database_differ(
    shop: Shop, caller: Caller
) -> None:
    metadata = sa.MetaData()
    sa.Table("users", metadata, sa.Column("id", sa.Integer, primary_key=True))
    shop.alembic(metadata=metadata)
    result = invoke(shop.app, "db", "move-in")
    assert result.exit_code == 1
    assert "differ with these settings:\n  add table users\n" in result.output


def templates() -> Iterable[Any]:
    for package in "alembic", "flask_migrate", "advanced_alchemy":
        spec = find_spec(package)

        for folder in (spec and spec.submodule_search_locations) or ():
            for path in sorted(Path(folder).rglob("env.py")):
                yield pytest.param(path.parent, id=f"{package}-{path.parent.name}")


@pytest.mark.parametrize("template", [*templates()])
@on_sqlite
@awaited_only
def test_a_template_alone_has_little_to_carry_over(
    template: Path, shop: Shop, caller: Caller
) -> None:
    shop.edit_env_py(ENV_PY, (template / "env.py").read_text())
    (shop.root / "alembic.ini").unlink()

    for path in template.glob("*.mako"):
        if path.name.startswith(("alembic.ini", "pyproject.toml")):
            text = Template(filename=str(path)).render(script_location="migrations")
            (shop.root / path.stem).write_text(text)

    move: MoveIn = caller(shop.alembic(), "move_in")
    lines = {line for line in move.settings.splitlines() if line.startswith("    ")}
    expected = {'    "script_location": "../migrations",'}

    if "flask_migrate" not in str(template):
        lines = {line for line in lines if "prepend_sys_path" not in line}

    if "advanced_alchemy" in str(template):
        assert ["'version_table' in line" in text for text in move.by_hand] == [
            True
        ] * 2
        assert '    "truncate_slug_length": "40",' in lines
    else:
        assert lines == expected
        assert move.by_hand == ()
