"""Where the engines and the metadata come from."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from typing import cast

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy_lite import SQLAlchemy as SQLAlchemyLite
from sqlalchemy import exc as sa_exc
from sqlalchemy.ext.asyncio import create_async_engine

from async_alembic import Alembic
from async_alembic import SyncAlembic
from async_alembic.errors import ConfigurationError
from async_alembic.errors import TargetError

from ..backends import Backend
from ..backends import by_id
from ..backends import DatabaseFactory
from ..backends import EngineFactory
from ..backends import on
from ..harness import AnyEngine
from ..harness import blocking_only
from ..harness import Caller
from ..harness import create_table
from ..harness import Framework
from ..harness import FRAMEWORKS
from ..harness import ids
from ..harness import make_app
from ..harness import on_both_frameworks
from ..harness import write_revision
from .worlds import ASYNC
from .worlds import metadata_of
from .worlds import on_both_kinds
from .worlds import SYNC
from .worlds import tables_in
from .worlds import World

Source = Callable[[World], Alembic]


def from_engine(backend: Backend) -> Source:
    return lambda world: Alembic(
        world.app, metadatas=world.metadata, engines=world.engine(backend)
    )


def from_dict(backend: Backend) -> Source:
    return lambda world: Alembic(
        world.app,
        metadatas={"default": [world.metadata]},
        engines={"default": world.engine(backend)},
    )


def from_callable(backend: Backend) -> Source:
    return lambda world: Alembic(
        world.app, metadatas=world.metadata, engines=lambda: world.engine(backend)
    )


def from_callable_of_dict(backend: Backend) -> Source:
    return lambda world: Alembic(
        world.app,
        metadatas={"default": world.metadata},
        engines=lambda: {"default": world.engine(backend)},
    )


def from_url(backend: Backend) -> Source:
    def make(world: World) -> Alembic:
        world.app.config["ALEMBIC"] = {"sqlalchemy.url": world.url(backend)}
        return Alembic(world.app, metadatas=world.metadata)

    return make


def from_flask_sqlalchemy(backend: Backend) -> Source:
    def make(world: World) -> Alembic:
        app = cast("Flask", world.app)
        app.config["SQLALCHEMY_DATABASE_URI"] = world.url(backend)
        db = SQLAlchemy(app)
        db.Table("users", sa.Column("id", sa.Integer, primary_key=True))
        return Alembic(app)

    return make


def from_flask_sqlalchemy_lite(backend: Backend) -> Source:
    def make(world: World) -> Alembic:
        key = "SQLALCHEMY_ASYNC_ENGINES" if backend.is_async else "SQLALCHEMY_ENGINES"
        world.app.config[key] = {"default": world.url(backend)}
        SQLAlchemyLite(world.app)
        return Alembic(world.app, metadatas=world.metadata)

    return make


def use_advanced_alchemy(
    world: World, backend: Backend, *arguments: dict[str, Any]
) -> None:
    """Register the extension, with these arguments for its configs."""
    with warnings.catch_warnings():
        # It was written for SQLAlchemy 2.0, and 2.1 tells when it is imported.
        warnings.simplefilter("ignore", sa_exc.SADeprecationWarning)
        from advanced_alchemy.extensions import flask as extension

    kind = "SQLAlchemyAsyncConfig" if backend.is_async else "SQLAlchemySyncConfig"
    configs = [getattr(extension, kind)(**each) for each in arguments]
    registered = extension.AdvancedAlchemy(configs, cast("Flask", world.app))
    world.closing.callback(registered.portal_provider.stop)


def from_advanced_alchemy(backend: Backend) -> Source:
    def make(world: World) -> Alembic:
        metadata = sa.MetaData()
        use_advanced_alchemy(
            world,
            backend,
            {"connection_string": world.url(backend), "metadata": metadata},
        )
        # The extension creates the tables that its async configs know by then.
        sa.Table("users", metadata, sa.Column("id", sa.Integer, primary_key=True))
        return Alembic(world.app)

    return make


ANYWHERE = [
    from_engine,
    from_dict,
    from_callable,
    from_callable_of_dict,
    from_url,
    from_flask_sqlalchemy_lite,
]
FLASK_ONLY = [from_flask_sqlalchemy, from_advanced_alchemy]


def cases() -> Iterator[Any]:
    """Every framework, source and kind of engine that go together."""
    for framework in FRAMEWORKS:
        for source in ANYWHERE if framework == "quart" else [*ANYWHERE, *FLASK_ONLY]:
            for backend in [SYNC] if source is from_flask_sqlalchemy else [SYNC, ASYNC]:
                for in_context in True, False:
                    # Its teardown functions fail in any context of Quart.
                    if source is from_flask_sqlalchemy_lite and framework == "quart":
                        if in_context:
                            continue

                    yield pytest.param(
                        framework,
                        source(backend),
                        in_context,
                        id=f"{framework}-{source.__name__}-{backend.driver}"
                        f"-{'in_context' if in_context else 'no_context'}",
                    )


@pytest.mark.parametrize(
    ("world", "source", "in_context"), [*cases()], indirect=["world"]
)
def test_the_database_comes_from(
    source: Source, in_context: bool, world: World, caller: Caller
) -> None:
    alembic = source(world)

    with caller.inside(world.app) if in_context else contextlib.nullcontext():
        assert len(caller(alembic, "revision", "users")) == 1
        assert len(caller(alembic, "upgrade")) == 1
        assert caller(alembic, "needs_revision") is False

    assert tables_in(world.file) == {"users", "alembic_version"}


@pytest.mark.parametrize("source", ANYWHERE)
@on_both_kinds
def test_nothing_is_connected_to_by_the_registration(
    source: Callable[[Backend], Source], backend: Backend, world: World
) -> None:
    source(backend)(world)
    assert not world.file.exists()


@on_both_kinds
def test_a_callable_is_called_at_first_use_and_once(
    backend: Backend, world: World, caller: Caller
) -> None:
    """An engine can be made in a startup hook, which runs after the registration."""
    calls = []

    def get_engine() -> AnyEngine:
        calls.append(1)
        return world.engine(backend)

    alembic = Alembic(world.app, metadatas=world.metadata, engines=get_engine)
    caller(alembic, "heads")
    assert calls == []
    caller(alembic, "needs_upgrade")
    caller(alembic, "upgrade")
    alembic.sync.current()
    assert calls == [1]


@on_both_kinds
def test_a_callable_may_come_too_early(
    backend: Backend, world: World, caller: Caller
) -> None:
    """What it returned then is not kept."""
    made: dict[str, AnyEngine] = {}
    alembic = Alembic(
        world.app,
        metadatas=world.metadata,
        engines=lambda: made,
    )

    with pytest.raises(TargetError, match="callable"):
        caller(alembic, "upgrade")

    made["default"] = world.engine(backend)
    assert caller(alembic, "upgrade") == []


@on([by_id("sqlite-memory-sqlite3"), by_id("sqlite-memory-aiosqlite")])
@on_both_frameworks
def test_the_url_of_a_database_in_memory_is_opened_once(
    framework: Framework, backend: Backend, caller: Caller, tmp_path: Path
) -> None:
    """Else each call would find an empty one."""
    app = make_app(
        framework, tmp_path, ALEMBIC={"sqlalchemy.url": f"{backend.drivername}://"}
    )
    alembic = Alembic(app, metadatas=metadata_of("users"))
    caller(alembic, "revision", "users")
    caller(alembic, "upgrade")
    assert len(caller(alembic, "current")) == 1
    assert caller(alembic, "run", lambda env: has_table(env.op.get_bind()))


def has_table(connection: sa.Connection) -> bool:
    return sa.inspect(connection).has_table("users")


@on([by_id("postgresql-psycopg2"), by_id("postgresql-asyncpg")])
@pytest.mark.parametrize("doubled", [False, True], ids=["as_it_is", "doubled"])
def test_a_percent_sign_may_stand_in_the_url(
    doubled: bool,
    backend: Backend,
    caller: Caller,
    database_factory: DatabaseFactory,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    """``alembic.ini`` wants it doubled; a dict in Python has no reason to."""
    url = database_factory(backend)
    text = url.render_as_string(hide_password=False)
    assert "%25" in text
    app = make_app(
        "flask",
        tmp_path,
        ALEMBIC={"sqlalchemy.url": text.replace("%", "%%") if doubled else text},
    )
    alembic = Alembic(app, metadatas=metadata_of("users"))
    caller(alembic, "revision", "users")
    caller(alembic, "upgrade")
    assert caller.tables(engines(backend, url)) == {"users"}
    assert alembic.config.get_main_option("sqlalchemy.url") == text


@on([by_id("postgresql-psycopg2"), by_id("postgresql-asyncpg")])
def test_the_url_may_be_an_object(
    backend: Backend,
    caller: Caller,
    database_factory: DatabaseFactory,
    tmp_path: Path,
) -> None:
    """Its text hides the password, with which nothing could be opened."""
    url = database_factory(backend)
    app = make_app("flask", tmp_path, ALEMBIC={"sqlalchemy.url": url})
    alembic = Alembic(app, metadatas=metadata_of())
    assert caller(alembic, "upgrade") == []
    text = url.render_as_string(hide_password=False)
    assert alembic.config.get_main_option("sqlalchemy.url") == text


@on_both_kinds
def test_settings_of_the_engine_may_stand_beside_the_url(
    backend: Backend, world: World, caller: Caller
) -> None:
    world.app.config["ALEMBIC"] = {
        "sqlalchemy.url": world.url(backend),
        "sqlalchemy.poolclass": sa.NullPool,
        "sqlalchemy.connect_args": {"timeout": 1234},
        "sqlalchemy.echo": "false",
    }
    alembic = Alembic(world.app, metadatas=world.metadata)
    pragma = "PRAGMA busy_timeout"
    timeout = caller(
        alembic, "run", lambda env: env.op.get_bind().exec_driver_sql(pragma).scalar()
    )
    assert timeout == 1_234_000


@pytest.mark.parametrize("lite", [True, False], ids=["lite", "flask_sqlalchemy"])
def test_the_constructor_goes_before_the_extension_before_the_url(
    lite: bool, world: World, caller: Caller
) -> None:
    files = {name: world.root / f"{name}.db" for name in ("first", "second", "third")}
    world.app.config["ALEMBIC"] = {"sqlalchemy.url": f"sqlite:///{files['third']}"}
    second = f"sqlite:///{files['second']}"
    write_revision(world.root / "migrations", "a1", upgrade=create_table("users"))

    if lite:
        world.app.config["SQLALCHEMY_ENGINES"] = {"default": second}
        SQLAlchemyLite(world.app)
    else:
        world.app.config["SQLALCHEMY_DATABASE_URI"] = second
        SQLAlchemy(cast("Flask", world.app))

    given = Alembic(
        world.app, metadatas=world.metadata, engines=world.engine(SYNC, files["first"])
    )
    caller(given, "upgrade")
    assert [name for name, file in files.items() if file.exists()] == ["first"]

    caller(Alembic(world.app, metadatas=world.metadata, command_name="db2"), "upgrade")
    assert [name for name, file in files.items() if file.exists()] == [
        "first",
        "second",
    ]


def test_given_metadata_goes_before_that_of_the_extension(
    world: World, caller: Caller
) -> None:
    world.app.config["SQLALCHEMY_DATABASE_URI"] = world.url(SYNC)
    db = SQLAlchemy(cast("Flask", world.app))
    db.Table("orders", sa.Column("id", sa.Integer, primary_key=True))
    alembic = Alembic(world.app, metadatas=world.metadata)
    [(_, table)] = caller(alembic, "compare_metadata")
    assert table.name == "users"


@on_both_frameworks
def test_each_shell_takes_the_engines_of_its_kind(
    framework: Framework, caller: Caller, tmp_path: Path
) -> None:
    """Flask-SQLAlchemy-Lite has both; ``alembic.sync`` means what ``alembic`` does."""
    files = {key: tmp_path / f"{key}.db" for key in ("sync", "async")}
    app = make_app(
        framework,
        tmp_path,
        SQLALCHEMY_ENGINES={"default": f"sqlite:///{files['sync']}"},
        SQLALCHEMY_ASYNC_ENGINES={"default": f"sqlite+aiosqlite:///{files['async']}"},
    )
    SQLAlchemyLite(app)
    write_revision(tmp_path / "migrations", "a1", upgrade=create_table("users"))

    caller(Alembic(app, metadatas=metadata_of("users")), "upgrade")
    assert [key for key, file in files.items() if file.exists()] == ["async"]

    sync = SyncAlembic(app, metadatas=metadata_of("users"), command_name="db2")
    assert ids(sync.upgrade()) == ["a1"]
    assert tables_in(files["sync"]) == {"users", "alembic_version"}


@pytest.mark.parametrize("default", ["default", None, ""], ids=repr)
def test_flask_sqlalchemy_brings_several_databases(
    default: str | None, world: World, caller: Caller
) -> None:
    """It calls the default one ``None``, and Flask-Migrate writes ``upgrade_()``."""
    other = world.root / "other.db"
    world.app.config["SQLALCHEMY_DATABASE_URI"] = world.url(SYNC)
    world.app.config["SQLALCHEMY_BINDS"] = {"other": f"sqlite:///{other}"}
    db = SQLAlchemy(cast("Flask", world.app))
    db.Table("users", sa.Column("id", sa.Integer, primary_key=True))
    db.Table("orders", sa.Column("id", sa.Integer, primary_key=True), bind_key="other")
    alembic = Alembic(
        world.app,
        metadatas=cast(
            "Any", {default: db.metadatas[None], "other": db.metadatas["other"]}
        ),
    )
    caller(alembic, "revision", "tables")
    caller(alembic, "upgrade")
    assert tables_in(world.file) - {"alembic_version"} == {"users"}
    assert tables_in(other) - {"alembic_version"} == {"orders"}


@pytest.mark.parametrize("default", ["default", ""], ids=repr)
@pytest.mark.parametrize("is_migrated", [False, True], ids=["one", "both"])
def test_a_bind_that_is_not_migrated_is_named_once(
    default: str,
    is_migrated: bool,
    world: World,
    caller: Caller,
    caplog: pytest.LogCaptureFixture,
) -> None:
    world.app.config["SQLALCHEMY_DATABASE_URI"] = world.url(SYNC)
    world.app.config["SQLALCHEMY_BINDS"] = {"other": f"sqlite:///{world.root}/other.db"}
    SQLAlchemy(cast("Flask", world.app))
    metadatas: dict[str, sa.MetaData | list[sa.MetaData]] = {default: world.metadata}

    if is_migrated:
        metadatas["other"] = metadata_of("orders")

    alembic = Alembic(world.app, metadatas=metadatas)
    caller(alembic, "current")
    caller(alembic, "current")
    warned = [r.getMessage() for r in caplog.records if r.name == "async_alembic"]
    assert warned == [] if is_migrated else len(warned) == 1 and "'other'" in warned[0]


@on_both_kinds
def test_advanced_alchemy_brings_several_databases(
    backend: Backend, world: World, caller: Caller
) -> None:
    other = world.root / "other.db"
    use_advanced_alchemy(
        world,
        backend,
        {"connection_string": world.url(backend), "metadata": world.metadata},
        {
            "connection_string": f"{backend.drivername}:///{other}",
            "metadata": metadata_of("orders"),
            "bind_key": "other",
        },
    )
    alembic = Alembic(world.app)
    caller(alembic, "mkdir")
    caller(alembic, "revision", "tables")
    caller(alembic, "upgrade")
    assert tables_in(world.file) - {"alembic_version"} == {"users"}
    assert tables_in(other) - {"alembic_version"} == {"orders"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            lambda: {"engines": sa.create_engine("sqlite://")},
            "pass 'metadatas' when",
            id="no_metadata",
        ),
        pytest.param(
            lambda: {"metadatas": metadata_of()},
            r"engines\s+configured.*'engines'.*sqlalchemy\.url",
            id="no_engine",
        ),
        pytest.param(
            lambda: {
                "metadatas": {"default": metadata_of(), "other": metadata_of()},
                "engines": sa.create_engine("sqlite://"),
            },
            "Missing engine config for 'other'",
            id="no_engine_for_one_name",
        ),
        pytest.param(
            lambda: {
                "metadatas": {"default": metadata_of()},
                "engines": {
                    "default": sa.create_engine("sqlite://"),
                    "other": sa.create_engine("sqlite://"),
                },
            },
            "Missing metadata for the engines 'other'",
            id="no_metadata_for_one_name",
        ),
        pytest.param(
            lambda: {
                "metadatas": {"a": metadata_of(), "b": metadata_of()},
                "engines": {"default": sa.create_engine("sqlite://")},
            },
            "Missing engine configs for 'a', 'b'",
            id="no_engine_for_two_names",
        ),
        pytest.param(
            lambda: {
                "metadatas": {"default": metadata_of(), "other": metadata_of()},
                "engines": {
                    "default": sa.create_engine("sqlite://"),
                    "other": create_async_engine("sqlite+aiosqlite://"),
                },
            },
            "of one kind",
            id="both_kinds",
        ),
        pytest.param(
            lambda: {
                "metadatas": {"default": metadata_of(), "other": metadata_of()},
                "engines": dict.fromkeys(
                    ("default", "other"), sa.create_engine("sqlite://")
                ),
            },
            "share one engine",
            id="one_engine_for_two_names",
        ),
        pytest.param(
            lambda: {"metadatas": metadata_of(), "engines": "sqlite://"},
            "must be an Engine or an AsyncEngine, not str",
            id="no_engine_but_its_url",
        ),
        pytest.param(
            lambda: {"metadatas": metadata_of(), "engines": lambda: None},
            "callable passed as 'engines' returned no engines",
            id="callable_without_engine",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(
    arguments: Callable[[], dict[str, Any]],
    message: str,
    caller: Caller,
    tmp_path: Path,
) -> None:
    app = make_app("flask", tmp_path)
    alembic = Alembic(app, **arguments())

    with pytest.raises(TargetError, match=message):
        caller(alembic, "upgrade")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("shop.db", "it is not a database URL"),
        ("nosuch://host/shop", "no dialect"),
        ("postgresql+nosuch://host/shop", "no dialect"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_in_a_sentence(
    url: str, message: str, caller: Caller, tmp_path: Path
) -> None:
    app = make_app("flask", tmp_path, ALEMBIC={"sqlalchemy.url": url})
    alembic = Alembic(app, metadatas=metadata_of())

    with pytest.raises(ConfigurationError, match=message) as caught:
        caller(alembic, "upgrade")

    assert "ALEMBIC" in str(caught.value)


@blocking_only
def test_an_engine_of_flask_sqlalchemy_works_outside_of_a_request(
    world: World, caller: Caller
) -> None:
    """The drop-in for Flask-Alembic; its engines need an app context to be found."""
    alembic = from_flask_sqlalchemy(SYNC)(world)
    assert alembic.sync.needs_revision() is True


def test_one_database_needs_no_name_of_its_own(
    engines: EngineFactory, caller: Caller, tmp_path: Path
) -> None:
    app = make_app("flask", tmp_path)
    engine = engines(by_id("sqlite-memory-sqlite3"))
    metadata = sa.MetaData()
    alembic = Alembic(app, metadatas={"main": metadata}, engines=engine)
    write_revision(tmp_path / "migrations", "a1", None, create_table("users"))
    caller(alembic, "upgrade")
    assert list(caller(alembic, "status")) == ["main"]
    assert caller.tables(engine) == {"users"}
