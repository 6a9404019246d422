"""An ``env.py`` is not executed. What it sets is carried over, or named."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from async_alembic import ConfigurationError

from ..backends import by_id
from ..backends import EngineFactory
from ..harness import Caller
from ..harness import ids
from ..harness import write_revision
from ..projects import Project

RICH = """\
from alembic import context
from sqlalchemy import event
import alembic_postgresql_enum

def include_object(object, name, *args):
    return name != "legacy"

target_metadata.naming_convention = {"pk": "pk_%(table_name)s"}

@event.listens_for(Engine, "connect")
def listen(*args): ...

raise AssertionError("executed")
context.configure(
    connection=connection,
    target_metadata=target_metadata,
    compare_type=True,
    include_object=include_object,
)
"""


@pytest.fixture
def project(tmp_path: Path, engines: EngineFactory) -> Project:
    backend = by_id("sqlite-sqlite3")
    return Project(tmp_path, engines, backend=backend, script_location="migrations")


def env_py(project: Project, text: str) -> None:
    (project.root / "migrations" / "env.py").write_text(textwrap.dedent(text))


@pytest.mark.parametrize("method", ["revision", "compare_metadata", "needs_revision"])
def test_what_it_sets_is_named_with_its_line(
    method: str, project: Project, caller: Caller
) -> None:
    """Otherwise, a table that it excludes would be dropped."""
    env_py(project, RICH)
    args = ["users"] if method == "revision" else []

    with pytest.raises(ConfigurationError) as info:
        caller(project.alembic, method, *args)

    assert (
        "sets 'alembic_postgresql_enum' in line 3, 'naming_convention' in line 8,"
        " 'listens_for' in line 10, 'include_object' in line 18."
    ) in str(info.value)


def test_an_upgrade_with_something_pending_is_refused(
    project: Project, caller: Caller
) -> None:
    env_py(project, "context.configure(version_table='versions')")
    write_revision(project.root / "migrations", "a1")

    with pytest.raises(ConfigurationError, match="'version_table' in line 1"):
        caller(project.alembic, "upgrade")


def test_at_head_it_is_not_read(project: Project, caller: Caller) -> None:
    write_revision(project.root / "migrations", "a1")
    caller(project.alembic, "upgrade")
    env_py(project, RICH)
    assert caller(project.alembic, "upgrade") == []


def test_what_is_in_the_config_is_fine(project: Project, caller: Caller) -> None:
    env_py(project, "context.configure(include_object=f, include_schemas=False)")
    project.app.config["ALEMBIC_CONTEXT"]["include_object"] = lambda *args: True
    assert caller(project.alembic, "compare_metadata") == []


def test_one_setting_says_that_all_is_carried_over(
    project: Project, caller: Caller
) -> None:
    env_py(project, RICH)
    project.app.config["ALEMBIC_IGNORE_ENV_PY"] = True
    assert caller(project.alembic, "compare_metadata") == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (
            "from alembic.context import configure\nconfigure(version_table_pk=False)",
            "'version_table_pk' in line 2",
        ),
        (
            "from alembic import context as c\nc.configure(version_table_pk=False)",
            "'version_table_pk' in line 2",
        ),
        ("context.configure(**{'render_item': f})", "'render_item' in line 1"),
        ("a = dict(x=1)\ncontext.configure(**a)", r"'\*\*dict\(x=1\)' in line 1"),
        ("context.configure(**unknown)", r"'\*\*unknown' in line 1"),
        ("a = {}\na['tag'] = 1\ncontext.configure(**a)", "'tag' in line 2"),
        (
            "def f(context, revision, directives):\n"
            "    directives[:] = []\n"
            "    directives[0].upgrade_ops = None\n"
            "context.configure(process_revision_directives=f)",
            "'process_revision_directives' in line 4",
        ),
        (
            "w = rewriter.Rewriter()\n"
            "@w.rewrites(ops.AddColumnOp)\n"
            "def f(*args): ...\n"
            "context.configure(process_revision_directives=w)",
            "'process_revision_directives' in line 4",
        ),
    ],
)
def test_arguments_are_found_however_they_are_passed(
    text: str, named: str, project: Project, caller: Caller
) -> None:
    env_py(project, text)

    with pytest.raises(ConfigurationError, match=named):
        caller(project.alembic, "compare_metadata")


def templates(package: str) -> Iterable[Any]:
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    paths = [p for folder in folders or () for p in Path(folder).rglob("env.py")]
    return [
        pytest.param(path, id=f"{package}-{path.parent.name}") for path in sorted(paths)
    ]


@pytest.mark.parametrize("path", [*templates("alembic"), *templates("flask_migrate")])
def test_templates_are_fine(path: Path, project: Project, caller: Caller) -> None:
    env_py(project, path.read_text())
    assert caller(project.alembic, "compare_metadata") == []


@pytest.mark.parametrize("path", templates("advanced_alchemy"))
def test_a_template_of_advanced_alchemy_asks_for_the_version_table_only(
    path: Path, project: Project, caller: Caller
) -> None:
    """It has another name there, so that the database would seem to be empty."""
    env_py(project, path.read_text())

    with pytest.raises(ConfigurationError, match="'version_table'") as info:
        caller(project.alembic, "compare_metadata")

    assert str(info.value).count("in line") == 2
    project.app.config["ALEMBIC_CONTEXT"]["version_table"] = "versions"
    assert caller(project.alembic, "compare_metadata") == []


def test_what_others_configure_is_not_alembics(
    project: Project, caller: Caller
) -> None:
    text = "import structlog\nstructlog.configure(cache_logger_on_first_use=True)\n"
    env_py(project, text)
    assert caller(project.alembic, "compare_metadata") == []


@pytest.mark.parametrize("name", ["migrations", "alembic"])
def test_one_beside_the_package_is_heeded(
    name: str, engines: EngineFactory, caller: Caller, tmp_path: Path
) -> None:
    """It was left there when the revisions were moved into the package."""
    write_revision(tmp_path / "shop/migrations", "a1")
    project = Project(tmp_path / "shop", engines)
    (tmp_path / name).mkdir()
    (tmp_path / name / "env.py").write_text("context.configure(tag=1)")

    with pytest.raises(ConfigurationError, match=f"{name}/env.py'.* 'tag' in line 1"):
        caller(project.alembic, "upgrade")


def test_one_above_the_folder_of_versions_is_heeded(
    engines: EngineFactory, caller: Caller, tmp_path: Path
) -> None:
    write_revision(tmp_path / "db/history/versions", "a1")
    project = Project(tmp_path, engines, script_location="db/history/versions")
    (tmp_path / "db/history/env.py").write_text("context.configure(tag=1)")

    with pytest.raises(ConfigurationError, match="db/history/env.py'.* 'tag'"):
        caller(project.alembic, "upgrade")


def test_one_where_alembics_file_points_is_heeded(
    engines: EngineFactory, caller: Caller, tmp_path: Path
) -> None:
    """The revisions can be in another folder, which is the app's."""
    write_revision(tmp_path / "revisions", "a1")
    (tmp_path / "alembic.ini").write_text(
        "[alembic]\nscript_location = tools/db\nversion_locations = revisions\n"
    )
    project = Project(tmp_path, engines, script_location="revisions")
    (tmp_path / "tools/db").mkdir(parents=True)
    (tmp_path / "tools/db/env.py").write_text("context.configure(tag=1)")

    with pytest.raises(ConfigurationError, match="tools/db/env.py'.* 'tag'"):
        caller(project.alembic, "upgrade")


def test_one_of_another_history_is_not_the_apps(
    engines: EngineFactory, caller: Caller, tmp_path: Path
) -> None:
    write_revision(tmp_path / "shop/migrations", "a1")
    write_revision(tmp_path / "migrations", "b1")
    (tmp_path / "migrations/env.py").write_text("context.configure(tag=1)")
    project = Project(tmp_path / "shop", engines)
    assert ids(caller(project.alembic, "upgrade")) == ["a1"]
