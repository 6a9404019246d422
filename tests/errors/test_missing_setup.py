"""What is missing or wrong in an app's setup."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from typing import cast

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic import ConfigurationError
from async_alembic import ScriptLocationError
from async_alembic import SyncAlembic
from async_alembic import TargetError

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..harness import Framework
from ..harness import make_app
from ..harness import on_both_frameworks
from .project import check_sentence
from .project import Error
from .project import in_every_way
from .project import metadata
from .project import Project
from .project import ProjectFactory
from .project import WAYS


@in_every_way
@pytest.mark.parametrize("command", ["upgrade", "current", "heads", "log", "merge"])
def test_a_missing_script_directory_is_named(project: Project, command: str) -> None:
    project.migrations.rename(project.migrations.with_name("moved"))
    error = project.fail(ScriptLocationError, command)
    assert f"'{project.migrations}'" in str(error)
    assert "'db mkdir'" in str(error)
    assert cast("ScriptLocationError", error).path == str(project.migrations)


@in_every_way
@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("a_file", ScriptLocationError),
        ("no.such.package:migrations", ConfigurationError),
    ],
)
def test_a_script_location_that_is_no_folder_is_named(
    location: str,
    error: Error,
    make: ProjectFactory,
    tmp_path: Path,
) -> None:
    (tmp_path / "a_file").touch()
    project = make(
        config={"ALEMBIC": {"script_location": location}},
        run_mkdir=False,
    )
    assert location in str(project.fail(error, "upgrade"))


@in_every_way
def test_a_missing_template_is_named(
    make: ProjectFactory,
) -> None:
    project = make()
    (project.migrations / "script.py.mako").unlink()
    raised = project._call("revision", "message")
    assert isinstance(raised, ConfigurationError)
    assert "script.py.mako" in str(raised)
    assert "'db mkdir'" in str(raised)
    check_sentence(str(raised))


@in_every_way
def test_missing_metadata_is_asked_for(
    make: ProjectFactory,
) -> None:
    project = make(metadatas=None)
    assert "pass 'metadatas' when" in str(project.fail(TargetError, "upgrade"))


@in_every_way
def test_missing_engines_are_asked_for(
    make: ProjectFactory,
) -> None:
    project = make(engines=None)
    error = project.fail(TargetError, "upgrade")
    assert "engines configured" in str(error)
    assert "app.config['ALEMBIC']['sqlalchemy.url']" in str(error)


@in_every_way
@pytest.mark.parametrize("nothing", [None, {}])
def test_a_callable_that_returns_no_engine_is_named(
    nothing: Any,
    make: ProjectFactory,
) -> None:
    """As before the startup hook has made them."""
    project = make(engines=lambda: nothing)
    error = project.fail(TargetError, "upgrade")
    assert "callable passed as 'engines'" in str(error)


@in_every_way
@pytest.mark.parametrize(
    ("names", "engine_names", "expected"),
    [
        (["default", "x9"], ["default"], "Missing engine config for 'x9'"),
        (["default", "x8", "x9"], ["default"], "Missing engine configs for 'x8', 'x9'"),
        (["default"], ["default", "x9"], "'x9'"),
        (["default", "other"], ["default", "other", "x9"], "'x9'"),
    ],
)
def test_a_name_without_engine_or_metadata_is_named(
    backend: Backend,
    names: list[str],
    engine_names: list[str],
    expected: str,
    engines: EngineFactory,
    make: ProjectFactory,
) -> None:
    """What is passed to the constructor is meant to be migrated, all of it."""
    made: Any = {name: engines(backend) for name in engine_names}
    metadatas = {name: sa.MetaData() for name in names}
    project = make(engines=made, metadatas=metadatas)
    assert expected in str(project.fail(TargetError, "upgrade"))


@in_every_way
@pytest.mark.parametrize(
    ("wrap", "expected"),
    [
        (lambda engine: {"default": "sqlite://"}, "not str"),
        (lambda engine: [engine], "not list"),
        (lambda engine: {"default": engine, "other": engine}, "share one engine"),
    ],
)
def test_engines_of_another_type_are_named(
    backend: Backend,
    wrap: Any,
    expected: str,
    engines: EngineFactory,
    make: ProjectFactory,
) -> None:
    made = wrap(engines(backend))
    names = made if isinstance(made, dict) else ["default"]
    metadatas = {name: sa.MetaData() for name in names}
    project = make(engines=made, metadatas=metadatas)
    assert expected in str(project.fail(TargetError, "upgrade"))


@pytest.mark.parametrize("way", WAYS)
def test_engines_of_both_kinds_are_refused(
    way: str, engines: EngineFactory, project_for: ProjectFactory
) -> None:
    kinds = [by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")]
    made: Any = {name: engines(b) for name, b in zip("ab", kinds, strict=True)}
    metadatas = {name: sa.MetaData() for name in "ab"}
    project = project_for(way, "quart", kinds[0], engines=made, metadatas=metadatas)
    assert "of one kind" in str(project.fail(TargetError, "upgrade"))


@on_both_frameworks
@pytest.mark.parametrize("shell", [Alembic, SyncAlembic])
@pytest.mark.parametrize("key", ["ALEMBIC", "ALEMBIC_CONTEXT"])
@pytest.mark.parametrize("value", [None, "migrations", ["a"], 5])
def test_a_setting_of_another_type_is_named(
    framework: Framework, shell: type[Any], key: str, value: object, tmp_path: Path
) -> None:
    app = make_app(framework, tmp_path)
    app.config[key] = value

    with pytest.raises(ConfigurationError) as info:
        shell(app)

    assert f"app.config['{key}']" in str(info.value)
    assert type(value).__name__ in str(info.value)
    assert not [*tmp_path.iterdir()]


@in_every_way
@pytest.mark.parametrize(
    "key", ["connection", "url", "dialect_name", "target_metadata", "fn"]
)
def test_an_option_that_the_extension_sets_is_refused(
    key: str,
    make: ProjectFactory,
) -> None:
    config = {"ALEMBIC_CONTEXT": {key: None}}
    project = make(config=config)
    error = project.fail(ConfigurationError, "upgrade")
    assert f"'{key}'" in str(error)
    assert "app.config['ALEMBIC_CONTEXT']" in str(error)


@pytest.mark.parametrize(
    "item", [5, None, ("a", "b", "c"), ("only",), ("branch", 5), [], b"bytes"]
)
def test_a_wrong_version_location_is_named(item: object, tmp_path: Path) -> None:
    app = make_app("flask", tmp_path, ALEMBIC={"version_locations": [item]})

    with pytest.raises(ConfigurationError) as info:
        Alembic(app, metadatas=metadata()).script  # noqa: B018

    assert "app.config['ALEMBIC']['version_locations']" in str(info.value)
    assert repr(item) in str(info.value)
    check_sentence(str(info.value))
