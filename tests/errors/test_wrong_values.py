"""Values of a wrong kind, which would otherwise fail far from where they were given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import AsyncAlembicError
from async_alembic import ConfigurationError
from async_alembic import DatabaseConnectionError
from async_alembic import DatabaseError
from async_alembic import RevisionError
from async_alembic import RevisionFileError
from async_alembic import SyncAlembic
from async_alembic import TargetError

from ..backends import Backend
from ..backends import EngineFactory
from ..backends import on_all_backends
from ..harness import Caller
from ..harness import create_table
from ..harness import make_app
from ..harness import write_revision
from ..projects import Project


@on_all_backends
def test_a_revision_that_is_a_coroutine_function_is_not_recorded(
    backend: Backend, tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    """Alembic would call it, and nothing would run."""
    project = Project(tmp_path, engines, backend=backend)
    write_revision(project.folder, "a1", upgrade=create_table("first"))
    path = write_revision(project.folder, "a2", "a1")
    path.write_text(path.read_text().replace("def upgrade", "async def upgrade"))

    with pytest.raises(RevisionFileError, match="'upgrade' is a coroutine") as caught:
        caller(project.alembic, "upgrade")

    assert caught.value.path == str(path)
    assert path.read_text().splitlines()[(caught.value.line or 0) - 1] == (
        "async def upgrade():"
    )
    assert caller.versions(project.engine) == []


def test_run_takes_no_coroutine_function(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    async def work(env: Any) -> None:
        env.op.execute("CREATE TABLE never (id INTEGER)")

    project = Project(tmp_path, engines)

    with pytest.raises(ConfigurationError, match="coroutine function.*'def'"):
        caller(project.alembic, "run", work)

    assert caller.tables(project.engine) == set()


@pytest.mark.parametrize("key", ["connection", "literal_binds", "dialect_opts"])
def test_arguments_that_the_extension_sets_are_refused(
    key: str, tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    """Alembic would get them twice, or take them for offline mode."""
    project = Project(tmp_path, engines)
    write_revision(project.folder, "a1")
    project.app.config["ALEMBIC_CONTEXT"][key] = True

    for method in "upgrade", "upgrade_sql":
        with pytest.raises(ConfigurationError, match=f"'{key}'. Remove it"):
            caller(project.alembic, method)


@pytest.mark.parametrize("target", [None, 1.5, [None]])
def test_a_target_of_another_type_is_named(
    target: Any, tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(tmp_path, engines)
    write_revision(project.folder, "a1")

    with pytest.raises(RevisionError, match=r"not (None|1\.5)"):
        caller(project.alembic, "upgrade", target)


@pytest.mark.parametrize("given", [sa.Table, "models", [sa.MetaData(), sa.Table]])
def test_what_is_no_metadata_is_refused(
    given: Any, tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    project = Project(tmp_path, engines, metadatas={"default": given})

    with pytest.raises(TargetError, match="'default' must be a MetaData"):
        caller(project.alembic, "current")


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"ALEMBIC": {"sourceless": "perhaps"}}, r"\['sourceless'\] is invalid"),
        (
            {"ALEMBIC": {"recursive_version_locations": "perhaps"}},
            r"\['recursive_version_locations'\] is invalid",
        ),
        (
            {"ALEMBIC": {"path_separator": [","]}},
            r"\['path_separator'\] must be one of",
        ),
        ({"ALEMBIC": {"sqlalchemy.nothing": 1}}, r"'sqlalchemy\.\*'.*'nothing'"),
        ({"ALEMBIC_LOCK": "false"}, "must be True, False or 'lease', not 'false'"),
        ({"ALEMBIC_LOCK_TIMEOUT": -1}, "a number of seconds, 0 or more, not -1"),
        ({"ALEMBIC_RETRIES": 1.5}, "a whole number, 0 or more, not 1.5"),
    ],
)
def test_a_setting_of_another_type_is_named(
    config: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/app.db"
    config = {**config, "ALEMBIC": {"sqlalchemy.url": url, **config.get("ALEMBIC", {})}}
    app = make_app("flask", tmp_path, **config)
    write_revision(tmp_path / "migrations", "a1")

    with pytest.raises(ConfigurationError, match=sentence):
        SyncAlembic(app, metadatas=sa.MetaData()).upgrade()


@pytest.mark.parametrize("key", ["password", "ssl_passphrase_PWD", "access_token"])
def test_a_secret_in_the_query_of_a_url_is_not_shown(key: str) -> None:
    url = sa.make_url(f"postgresql://me@nowhere/shop?{key}=hush&application_name=me")
    error = DatabaseConnectionError("default", url, OSError("no hush here"))
    assert "hush" not in f"{error}{error.url}"
    assert "application_name=me" in error.url


def test_a_fault_of_the_models_is_not_said_to_be_the_database(
    tmp_path: Path, engines: EngineFactory, caller: Caller
) -> None:
    metadata = sa.MetaData()
    sa.Table("shop", metadata, sa.Column("id", sa.ForeignKey("nowhere.id")))
    project = Project(tmp_path, engines, metadatas=metadata)

    with pytest.raises(DatabaseError) as caught:
        caller(project.alembic, "compare_metadata")

    assert "NoReferencedTableError" in str(caught.value)
    assert "rejected" not in str(caught.value)
    assert isinstance(caught.value, AsyncAlembicError)
