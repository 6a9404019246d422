"""The options of an ``alembic.ini`` or a ``pyproject.toml`` are those of the app, where
its config says nothing.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from mako.template import Template  # type: ignore[import-untyped]

from async_alembic import ConfigurationError
from async_alembic.apps.option_files import options_around

from ..backends import EngineFactory
from ..harness import Caller
from ..harness import ids
from ..harness import write_revision
from ..projects import Project

INI = """
[alembic]
script_location = %(here)s/migrations
version_locations = %(here)s/migrations %(here)s/other
path_separator = space
file_template = %%(year)d_%%(rev)s_%%(slug)s
truncate_slug_length = 8
timezone = UTC
output_encoding = latin-1
prepend_sys_path = . lib
sqlalchemy.url = driver://user:pass@localhost/dbname
colour = red

[post_write_hooks]
hooks = mark
mark.type = exec
mark.executable = {python}
mark.options = -c "open(r'REVISION_SCRIPT_FILENAME', 'a').write('# marked\\n')"

[shop]
size = 3

[loggers]
keys = root

[formatter_generic]
format = %(levelname)-5.5s [%(name)s] %(message)s
"""
TOML = """
[project]
name = "shop"

[tool.alembic]
script_location = "%(here)s/migrations"
version_locations = ["%(here)s/migrations", "other"]
file_template = "%%(year)d_%%(rev)s_%%(slug)s"
truncate_slug_length = 8
timezone = "UTC"
output_encoding = "latin-1"
prepend_sys_path = [".", "lib"]
colour = "red"
shop = {{ size = "3" }}

[[tool.alembic.post_write_hooks]]
name = "mark"
type = "exec"
executable = '{python}'
options = '''-c "open(r'REVISION_SCRIPT_FILENAME', 'a').write('# marked\\n')"'''
"""
FILES = {"alembic.ini": INI, "pyproject.toml": TOML}
on_both_files = pytest.mark.parametrize("name", FILES)


def write(folder: Path, name: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(FILES[name].format(python=sys.executable))


@on_both_files
def test_what_they_say_counts_for_a_new_revision(
    name: str,
    tmp_path: Path,
    engines: EngineFactory,
    caller: Caller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    write(tmp_path, name)
    write_revision(tmp_path / "migrations", "a1")
    write_revision(tmp_path / "other", "b1", "a1")
    project = Project(tmp_path, engines)
    assert ids(caller(project.alembic, "upgrade")) == ["a1", "b1"]
    (script,) = caller(project.alembic, "revision", "long message", empty=True)
    path = Path(script.path)
    assert re.fullmatch(r"\d{4}_\d+_long_\.py", path.name)
    assert path.parent == tmp_path / "other"
    assert path.read_text().endswith("# marked\n")
    assert re.search(r"Create Date: .*\+00:00", path.read_text())
    config = project.alembic.config
    assert config.get_main_option("output_encoding") == "latin-1"
    assert config.get_main_option("colour") == "red"
    assert config.get_section_option("shop", "size") == "3"
    # The app's engine counts.
    assert "driver" not in str(config.get_main_option("sqlalchemy.url"))
    assert [str(tmp_path), str(tmp_path / "lib")] == sys.path[:2]


@on_both_files
def test_the_config_of_the_app_comes_first(
    name: str, tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    write(tmp_path, name)
    project = Project(
        tmp_path,
        engines,
        file_template="%(rev)s",
        post_write_hooks={},
        prepend_sys_path=[],
        version_locations=["mine"],
    )
    (script,) = caller(project.alembic, "revision", "long message", empty=True)
    assert Path(script.path).name == f"{script.revision}.py"
    assert "# marked" not in Path(script.path).read_text()
    assert not (tmp_path / "other").exists()


def test_a_file_about_another_folder_is_not_the_apps(
    tmp_path: Path, engines: EngineFactory
) -> None:
    write(tmp_path, "alembic.ini")
    project = Project(tmp_path, engines, script_location="elsewhere")
    assert project.alembic.config.get_main_option("colour") is None


def test_the_file_in_the_folder_is_flask_migrates(
    tmp_path: Path, engines: EngineFactory
) -> None:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations/alembic.ini").write_text("[alembic]\ntimezone = UTC\n")
    project = Project(tmp_path, engines)
    assert project.alembic.config.get_main_option("timezone") == "UTC"


def test_both_files_of_a_folder_count(tmp_path: Path, engines: EngineFactory) -> None:
    """As Alembic takes both."""
    (tmp_path / "pyproject.toml").write_text(
        "[tool.alembic]\nscript_location = 'migrations'\ntimezone = 'CET'\n"
    )
    (tmp_path / "alembic.ini").write_text("[alembic]\ntimezone = UTC\n")
    project = Project(tmp_path, engines)
    assert project.alembic.config.get_main_option("timezone") == "UTC"


def test_a_section_of_another_name_counts(
    tmp_path: Path, engines: EngineFactory
) -> None:
    """As with ``alembic --name``."""
    (tmp_path / "alembic.ini").write_text(
        "[other]\nscript_location = elsewhere\ntimezone = CET\n"
        "[shop]\nscript_location = migrations\ntimezone = UTC\n"
    )
    project = Project(tmp_path, engines)
    assert project.alembic.config.get_main_option("timezone") == "UTC"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[alembic]\nsourceless = perhaps\n", "'sourceless' in '.*alembic.ini'"),
        ("[alembic]\ntruncate_slug_length = many\n", "'truncate_slug_length' in"),
        ("[alembic\nsourceless = true\n", "alembic.ini' cannot be read: "),
    ],
)
def test_what_makes_no_sense_is_named(
    text: str, named: str, tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations/alembic.ini").write_text(text)
    project = Project(tmp_path, engines, run_mkdir=False)

    with pytest.raises(ConfigurationError, match=named):
        caller(project.alembic, "revision", "users", empty=True)


def templates() -> Iterable[Any]:
    for package in "alembic", "advanced_alchemy":
        spec = find_spec(package)

        for folder in (spec and spec.submodule_search_locations) or ():
            for path in sorted(Path(folder).rglob("*.mako")):
                if path.name.removesuffix(".mako") in FILES:
                    yield pytest.param(path, id=f"{package}-{path.parent.name}")


@pytest.mark.parametrize("path", [*templates()])
def test_templates_are_read(path: Path, tmp_path: Path) -> None:
    """Each is about the folder that it was made with, if it names one at all."""
    text = Template(filename=str(path)).render(script_location="%(here)s/migrations")
    (tmp_path / path.stem).write_text(text)
    options, _ = options_around(str(tmp_path / "migrations"))

    if "script_location" in text:
        assert options["prepend_sys_path"][-1] == str(tmp_path)

    assert options_around(str(tmp_path / "other")) == ({}, {})


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from(["os", "space", "newline", ":", ";"]),
    st.lists(st.text("ab./", min_size=1, max_size=4), min_size=1, max_size=3),
)
def test_paths_are_split_as_alembic_splits_them(
    tmp_path_factory: pytest.TempPathFactory, separator: str, paths: list[str]
) -> None:
    joiner = {"os": ":", "space": " ", "newline": "\n  "}.get(separator, separator)
    root = tmp_path_factory.mktemp("split")
    (root / "alembic.ini").write_text(
        f"[alembic]\nscript_location = migrations\npath_separator = {separator}\n"
        f"version_locations = {joiner.join(paths)}\n"
    )
    options, _ = options_around(str(root / "migrations"))
    theirs = Config(root / "alembic.ini").get_version_locations_list()
    assert theirs is not None
    expected = [str(root.joinpath(path).resolve()) for path in theirs if path]
    assert [str(Path(p).resolve()) for p in options["version_locations"]] == expected


@pytest.mark.parametrize(
    ("text", "unneeded"),
    [
        ("# sourceless = true\ntimezone = UTC\n", "configparser tomllib alembic"),
        # Alembic's template has it.
        ("prepend_sys_path = .\n", "tomllib alembic"),
    ],
)
def test_at_head_they_are_looked_at_only(
    text: str, unneeded: str, tmp_path: Path
) -> None:
    """A file is parsed if it may decide which revisions there are, and never by
    Alembic.
    """
    write_revision(tmp_path / "migrations", "a1")
    (tmp_path / "migrations/script.py.mako").touch()
    (tmp_path / "migrations/alembic.ini").write_text(f"[alembic]\n{text}")
    program = (
        "import sys, sqlalchemy, flask, async_alembic as a;"
        "app = flask.Flask('x', root_path=sys.argv[1]);"
        "engine = sqlalchemy.create_engine('sqlite://');"
        "a = a.SyncAlembic(app, metadatas=sqlalchemy.MetaData(), engines=engine);"
        "assert not a.current();"
        "assert [s.revision for s in a.heads()] == ['a1'];"
        "assert not {*sys.argv[2].split()} & {*sys.modules}"
    )
    command = [sys.executable, "-c", program, str(tmp_path), unneeded]
    # Coverage would import a parser for its own settings.
    env = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
    subprocess.run(command, check=True, timeout=60, env=env)
