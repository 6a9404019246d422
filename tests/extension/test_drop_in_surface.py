"""``SyncAlembic`` has the methods, arguments and properties of Flask-Alembic."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any
from typing import cast

import pytest
import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from flask import Flask

from async_alembic import SyncAlembic

from ..harness import make_app
from .drop_in import both
from .drop_in import make_flask
from .drop_in import Model
from .drop_in import state_of


def test_the_constructor_takes_the_same_arguments(original: type[Any]) -> None:
    theirs = inspect.signature(original).parameters
    ours = inspect.signature(SyncAlembic).parameters
    assert ours.keys() - theirs.keys() == {"tenants", "tenant_metadatas"}

    for name, parameter in theirs.items():
        assert ours[name].kind == parameter.kind
        assert ours[name].default == parameter.default


def test_the_methods_take_the_same_arguments_in_the_same_order(
    original: type[Any],
) -> None:
    """What we add comes after what there was, so that every call means the same."""
    methods = [
        name
        for name, value in vars(original).items()
        if callable(value) and not name.startswith("_")
    ]
    assert len(methods) == 17

    for name in methods:
        theirs = [*inspect.signature(getattr(original, name)).parameters.values()]
        ours = [*inspect.signature(getattr(SyncAlembic, name)).parameters.values()]
        found = [(p.name, p.default, p.kind) for p in ours[: len(theirs)]]
        assert found == [(p.name, p.default, p.kind) for p in theirs]


def test_the_properties_are_there(original: type[Any]) -> None:
    properties = [n for n, v in vars(original).items() if isinstance(v, property)]
    assert len(properties) == 7

    for name in [*properties, "script", "env", "context"]:
        assert isinstance(getattr(SyncAlembic, name), property)


def test_the_command_line_has_the_same_commands_and_options(
    original: type[Any], tmp_path: Path
) -> None:
    def work(root: Path, extension: type[Any]) -> Flask:
        return make_flask("plain", root, extension, Model())[0]

    theirs: Any = work(tmp_path / "a", original).cli.commands["db"]
    ours: Any = work(tmp_path / "b", SyncAlembic).cli.commands["db"]
    assert theirs.commands.keys() <= ours.commands.keys()

    for name, command in theirs.commands.items():
        options = {
            parameter.name: parameter for parameter in ours.commands[name].params
        }

        for parameter in command.params:
            option = options[parameter.name]
            assert {*parameter.opts} <= {*option.opts}
            assert parameter.multiple == option.multiple
            assert (
                parameter.is_flag == option.is_flag if hasattr(option, "is_flag") else 1
            )
            assert parameter.required or not option.required

            if not option.nargs == -1:
                assert option.default == parameter.default


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"ALEMBIC": {"script_location": "db", "version_locations": ["more"]}},
        {"ALEMBIC": {"path_separator": "space"}},
        {"ALEMBIC_CONTEXT": {"compare_server_default": False, "compare_type": False}},
    ],
)
def test_the_app_is_left_the_same(
    config: dict[str, Any], original: type[Any], tmp_path: Path
) -> None:
    def work(root: Path, extension: type[Any]) -> object:
        copied = {key: dict(value) for key, value in config.items()}
        app, alembic = make_flask("plain", root, extension, Model(), **copied)
        assert app.extensions["alembic"] is alembic
        folders = sorted(str(path.relative_to(root)) for path in root.rglob("*"))
        keys = {key: value for key, value in app.config.items() if "ALEMBIC" in key}
        attributes = (alembic.run_mkdir, alembic.command_name)
        return keys, folders, attributes, sorted(app.cli.commands)

    keys, *_ = both(tmp_path, original, work)

    if not config:
        assert keys == {
            "ALEMBIC": {
                "path_separator": "os",
                "script_location": "migrations",
                "version_locations": [],
            },
            "ALEMBIC_CONTEXT": {"compare_server_default": True},
        }


@pytest.mark.parametrize("run_mkdir", [True, False])
@pytest.mark.parametrize("command_name", ["db", "migrate", ""])
def test_the_arguments_mean_the_same(
    run_mkdir: bool, command_name: str, original: type[Any], tmp_path: Path
) -> None:
    def work(root: Path, extension: type[Any]) -> object:
        app = cast("Flask", make_app("flask", root))
        alembic = extension(run_mkdir=run_mkdir, command_name=command_name)
        alembic.init_app(app)
        return sorted(app.cli.commands), (root / "migrations").exists()

    both(tmp_path, original, work)


def test_the_config_holds_the_same(original: type[Any], tmp_path: Path) -> None:
    settings = {
        "script_location": "db",
        "version_locations": ["more", ("users", "users/versions")],
        "file_template": "%%(rev)s",
        "timezone": "utc",
        "post_write_hooks": {"hooks": "black", "black.type": "exec"},
    }
    keys = ["script_location", "version_locations", "path_separator", "timezone"]

    def work(root: Path, extension: type[Any]) -> object:
        app, alembic = make_flask(
            "plain", root, extension, Model(), ALEMBIC=dict(settings)
        )

        with app.app_context():
            config = alembic.config
            values = [config.get_main_option(key) for key in keys]
            hooks = config.get_section("post_write_hooks")
            # There it is the folder that the process was started in.
            del hooks["here"]
            template = config.get_main_option("file_template")
            name = config.config_ini_section
            return (
                [str(v).replace(str(root), "") for v in values],
                hooks,
                template,
                name,
            )

    both(tmp_path, original, work)


def test_the_properties_give_the_same_kinds_of_objects(
    extension: type[Any], tmp_path: Path
) -> None:
    app, alembic = make_flask("plain", tmp_path, extension, Model())

    with app.app_context():
        assert isinstance(alembic.environment_context, EnvironmentContext)
        assert isinstance(alembic.migration_context, MigrationContext)
        assert alembic.migration_contexts == {"default": alembic.migration_context}
        assert isinstance(alembic.op, Operations)
        assert alembic.ops == {"default": alembic.op}
        assert alembic.op.migration_context is alembic.migration_context
        assert alembic.migration_context.get_current_heads() == ()
        assert alembic.script_directory.get_heads() == []
        assert alembic.script_directory is alembic.script_directory
        assert alembic.config is alembic.config
        assert alembic.environment_context is alembic.environment_context
        assert alembic.environment_context.get_context() is alembic.migration_context
        alembic.op.create_table("t", sa.Column("id", sa.Integer))
        assert alembic.migration_context.bind is not None

    assert state_of(tmp_path)[0] == {"t"}


def test_the_live_connection_is_closed_with_the_app_context(
    extension: type[Any], tmp_path: Path
) -> None:
    app, alembic = make_flask("plain", tmp_path, extension, Model())

    with app.app_context():
        first = alembic.migration_context
        assert alembic.migration_context is first
        assert first.connection.scalar(sa.select(1)) == 1

    assert first.connection.closed or first.connection.invalidated

    with app.app_context():
        assert alembic.migration_context is not first
