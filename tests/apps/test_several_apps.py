"""Several apps in one process: which one is meant."""

from __future__ import annotations

import gc
import time
import weakref
from pathlib import Path
from typing import cast

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.sansio.app import App

from async_alembic import Alembic
from async_alembic.errors import AppError

from ..backends import Backend
from ..backends import EngineFactory
from ..harness import Caller
from ..harness import create_table
from ..harness import Framework
from ..harness import ids
from ..harness import make_app
from ..harness import on_both_frameworks
from ..harness import write_revision
from .worlds import metadata_of
from .worlds import on_both_kinds
from .worlds import tables_in
from .worlds import World


@on_both_kinds
@on_both_frameworks
def test_the_current_one_of_two_apps_is_meant(
    framework: Framework,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    first_engine, second_engine = engines(backend), engines(backend)
    waiting = iter([first_engine, second_engine])
    alembic = Alembic(metadatas=metadata_of("users"), engines=lambda: next(waiting))
    apps = [make_app(framework, tmp_path / name, name) for name in ("north", "south")]

    for app in apps:
        alembic.init_app(app)
        folder = tmp_path / app.name / "migrations"
        write_revision(folder, f"{app.name}1", upgrade=create_table(app.name))

    with pytest.raises(AppError, match=r"'north', 'south'.*none is current"):
        caller(alembic, "upgrade")

    for app in apps:
        with caller.inside(app):
            assert ids(caller(alembic, "upgrade")) == [f"{app.name}1"]

    assert caller.tables(first_engine) == {"north"}
    assert caller.tables(second_engine) == {"south"}


def test_the_innermost_app_is_meant(caller: Caller, tmp_path: Path) -> None:
    alembic = Alembic(metadatas=metadata_of())
    apps: list[App] = [make_app("flask", tmp_path / name, name) for name in "ab"]

    for app in apps:
        alembic.init_app(app)

    with caller.inside(apps[0]), caller.inside(apps[1]):
        script = caller.block(lambda: alembic.script)

    assert Path(script.dir) == tmp_path / "b/migrations"


@on_both_frameworks
def test_the_context_of_another_app_is_no_help(
    framework: Framework, caller: Caller, tmp_path: Path
) -> None:
    app = make_app(framework, tmp_path)
    alembic = Alembic(app, metadatas=metadata_of())
    other = make_app(framework, tmp_path / "other", "other")

    with caller.inside(other), pytest.raises(AppError, match=r"'other'.*'init_app'"):
        caller(alembic, "heads")


def test_an_app_must_be_registered(caller: Caller) -> None:
    with pytest.raises(AppError, match="No app is registered"):
        caller(Alembic(metadatas=metadata_of()), "heads")


@on_both_kinds
@on_both_frameworks
def test_apps_can_come_and_go(
    framework: Framework,
    backend: Backend,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    """A test suite makes one for each test, with one ``Alembic`` for all of them."""
    engine = engines(backend)
    alembic = Alembic(metadatas=metadata_of("users"), engines=lambda: engine)

    for number in range(2):
        app = make_app(framework, tmp_path / str(number))
        alembic.init_app(app)
        write_revision(tmp_path / str(number) / "migrations", "a1")
        caller(alembic, "upgrade")
        caller(alembic, "current")

        with caller.inside(app):
            caller.context(alembic, "get_current_revision")

        gone = weakref.ref(app)
        del app
        # A worker thread may still be about to let go of it.
        deadline = time.monotonic() + 5

        while gone() is not None and time.monotonic() < deadline:
            time.sleep(0.001)
            gc.collect()

        assert gone() is None


@on_both_kinds
def test_two_of_them_on_one_app_have_a_database_each(
    backend: Backend, world: World, caller: Caller
) -> None:
    files = [world.root / "users.db", world.root / "orders.db"]
    write_revision(world.root / "migrations", "a1", upgrade=create_table("users"))
    pair = [
        Alembic(
            world.app,
            metadatas=world.metadata,
            engines=world.engine(backend, file),
            command_name=name,
        )
        for file, name in zip(files, ["db", "archive"], strict=True)
    ]

    caller(pair[1], "upgrade")
    assert [file.exists() for file in files] == [False, True]
    caller(pair[0], "upgrade")
    assert tables_in(files[0]) == tables_in(files[1]) == {"users", "alembic_version"}
    assert {"db", "archive"} <= {*cast("Flask", world.app).cli.commands}
    assert world.app.extensions["alembic"] is pair[1]


def test_an_app_that_is_gone_is_told_from_one_that_was_not_registered(
    caller: Caller, tmp_path: Path
) -> None:
    alembic = Alembic(metadatas=sa.MetaData())

    with pytest.raises(AppError, match="Call 'init_app'"):
        caller(alembic, "heads")

    alembic.init_app(make_app("flask", tmp_path))
    gc.collect()

    with pytest.raises(AppError, match="Keep a reference"):
        caller(alembic, "heads")
