"""Which app is meant."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from async_alembic import Alembic
from async_alembic import AppError
from async_alembic import SyncAlembic

from ..harness import Caller
from ..harness import Framework
from ..harness import make_app
from ..harness import on_both_frameworks
from .project import check_sentence
from .project import metadata


@pytest.mark.parametrize("shell", ["awaited", "blocking"])
def test_an_extension_without_app_says_so(shell: str, runner: asyncio.Runner) -> None:
    alembic = Alembic(metadatas=metadata())
    raises = pytest.raises(AppError, match="No app is registered. Call 'init_app'")

    with raises as info:
        if shell == "awaited":
            runner.run(alembic.upgrade())
        else:
            alembic.sync.upgrade()

    check_sentence(str(info.value))


@on_both_frameworks
@pytest.mark.parametrize("caller", ["awaited", "blocking"], indirect=True)
def test_an_app_that_is_not_registered_is_named(
    framework: Framework, caller: Caller, tmp_path: Path
) -> None:
    """As with two instances, of which one was given to the app."""
    alembic = Alembic(make_app("flask", tmp_path / "a"), metadatas=metadata())
    other = make_app(framework, tmp_path / "b", "other")

    with caller.inside(other), pytest.raises(AppError, match="app 'other'") as info:
        caller(alembic, "upgrade")

    assert "'init_app'" in str(info.value)
    check_sentence(str(info.value))


@pytest.mark.parametrize("caller", ["awaited", "blocking"], indirect=True)
def test_several_apps_are_named_where_none_is_current(
    caller: Caller, tmp_path: Path
) -> None:
    alembic = Alembic(metadatas=metadata())
    apps = [make_app("flask", tmp_path / name, name) for name in ("one", "two")]

    for app in apps:
        alembic.init_app(app)

    with pytest.raises(AppError, match="'one', 'two'") as info:
        caller(alembic, "upgrade")

    assert "app context" in str(info.value)
    check_sentence(str(info.value))


@on_both_frameworks
@pytest.mark.parametrize("shell", [Alembic, SyncAlembic])
@pytest.mark.parametrize(
    "name", ["config", "script", "script_directory", "heads", "op"]
)
def test_nothing_is_at_hand_without_an_app(
    framework: Framework, shell: type[Any], name: str, runner: asyncio.Runner
) -> None:
    alembic = shell()

    async def use() -> None:
        attribute = getattr(alembic, name)
        await (attribute.drop_table("t") if name == "op" else attribute())

    with pytest.raises(AppError):
        if shell is Alembic:
            runner.run(use())
        else:
            getattr(alembic, name)()
