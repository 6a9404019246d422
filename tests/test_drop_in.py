"""``from async_alembic import SyncAlembic as Alembic`` is the whole move from
Flask-Alembic 3.3: compared with the real one, call by call.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import logging
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from typing import cast

import pytest
import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from flask import Flask

import async_alembic
from async_alembic import SyncAlembic

from .apps import Caller
from .apps import Framework
from .apps import make_app
from .apps import write_revision
from .backends import Backend
from .backends import by_id
from .backends import EngineFactory
from .conftest import require

SQLITE = by_id("sqlite-sqlite3")
KINDS = ["plain", "flask_sqlalchemy", "flask_sqlalchemy_lite"]


@pytest.fixture
def original() -> Iterator[type[Any]]:
    """Flask-Alembic's class, which sets logging up when it is instantiated."""
    try:
        from flask_alembic import Alembic as original
    except ImportError:
        require("'flask-alembic' is not installed.")

    loggers = [logging.getLogger(name) for name in ("sqlalchemy", "alembic")]
    before = [(logger.level, [*logger.handlers]) for logger in loggers]
    yield original

    for logger, (level, handlers) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.fixture(params=["Flask-Alembic", "SyncAlembic"])
def extension(request: pytest.FixtureRequest) -> type[Any]:
    """Either class, for what must be true of both."""
    if request.param == "SyncAlembic":
        return SyncAlembic

    return cast("type[Any]", request.getfixturevalue("original"))


class Model(sa.MetaData):
    """The metadata of one table, ``users``, with some columns."""

    def __init__(self, *columns: str) -> None:
        super().__init__()
        others = [sa.Column(name, sa.Integer) for name in columns]
        sa.Table("users", self, sa.Column("id", sa.Integer, primary_key=True), *others)


def make_flask(
    kind: str, root: Path, extension: type[Any], metadata: sa.MetaData, **config: Any
) -> tuple[Flask, Any]:
    """A Flask app on an SQLite file, with one of the SQLAlchemy extensions or without,
    and the Alembic extension. An id is the number of the revision.
    """
    url = f"sqlite:///{root / 'shop.db'}"
    app = cast("Flask", make_app("flask", root, **config))
    arguments: dict[str, Any] = {"metadatas": metadata}

    if kind == "flask_sqlalchemy":
        from flask_sqlalchemy import SQLAlchemy

        app.config["SQLALCHEMY_DATABASE_URI"] = url
        app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"poolclass": sa.NullPool}
        SQLAlchemy(app, metadata=metadata)
        arguments = {}
    elif kind == "flask_sqlalchemy_lite":
        from flask_sqlalchemy_lite import SQLAlchemy as Lite

        options = {"url": url, "poolclass": sa.NullPool}
        app.config["SQLALCHEMY_ENGINES"] = {"default": options}
        Lite(app)
    else:
        arguments["engines"] = sa.create_engine(url, poolclass=sa.NullPool)

    alembic = extension(app, **arguments)
    ids = map(str, itertools.count(1000))
    alembic.rev_id = lambda: next(ids)
    return app, alembic


def write_revisions(alembic: Any, count: int) -> None:
    """Write empty revisions: ``1000``, ``1001`` and so on."""
    for number in range(count):
        alembic.revision(f"revision {number}", empty=True)


def both(
    tmp_path: Path, original: type[Any], work: Callable[[Path, type[Any]], Any]
) -> Any:
    """Do the same with Flask-Alembic and with ours; the results must be the same.

    :return: The result.
    """
    expected = work(tmp_path / "original", original)
    found = work(tmp_path / "ours", SyncAlembic)
    assert found == expected
    return found


def state_of(root: Path) -> tuple[set[str], list[str]]:
    """The tables, and the revisions that the database is at."""
    engine = sa.create_engine(f"sqlite:///{root / 'shop.db'}", poolclass=sa.NullPool)

    with engine.connect() as connection:
        names = {*sa.inspect(connection).get_table_names()}
        versions = []

        if "alembic_version" in names:
            rows = connection.exec_driver_sql("SELECT version_num FROM alembic_version")
            versions = sorted(row[0] for row in rows)

    return names - {"alembic_version"}, versions


def invoke(app: Flask, *args: str) -> tuple[int, str]:
    """Run a command; Flask-Alembic's need a context in a test.

    :return: The exit code and what it printed.
    """
    with app.app_context():
        result = app.test_cli_runner().invoke(args=["db", *args])

    return result.exit_code, result.output


# The surface


def test_the_constructor_takes_the_same_arguments(original: type[Any]) -> None:
    theirs = inspect.signature(original).parameters
    ours = inspect.signature(SyncAlembic).parameters
    assert ours.keys() == theirs.keys()

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
    assert theirs.commands.keys() == ours.commands.keys()

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
            assert option.required == parameter.required

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


# The same calls


@pytest.mark.parametrize("kind", KINDS)
def test_a_day_of_work_ends_the_same(
    kind: str, original: type[Any], tmp_path: Path
) -> None:
    def work(root: Path, extension: type[Any]) -> object:
        seen: list[object] = []
        app, alembic = make_flask(kind, root, extension, Model("age"))

        def see() -> None:
            seen.append(state_of(root))
            seen.append([script.revision for script in alembic.current()])
            seen.append([script.revision for script in alembic.heads()])
            seen.append([script.revision for script in alembic.log()])
            seen.append([script.revision for script in alembic.branches()])
            seen.append(alembic.needs_upgrade())
            seen.append(alembic.needs_revision())
            seen.append([diff[0] for diff in alembic.compare_metadata()])

        with app.app_context():
            see()
            seen += [script.revision for script in alembic.revision("make users")]
            see()
            alembic.upgrade()
            see()
            alembic.revision("second", True)
            alembic.revision("third", empty=True, parent=["1001"], label="named")
            see()
            alembic.upgrade(1)
            seen.append([s.revision for s in alembic.log("current")])
            seen.append([s.revision for s in alembic.log(end="current")])
            seen.append([s.revision for s in alembic.log(alembic.current(), "1002")])
            see()
            alembic.downgrade()
            alembic.upgrade("1002")
            alembic.downgrade(-2)
            see()
            alembic.stamp("heads")
            see()
            alembic.stamp(alembic.script_directory.get_revision("1000"))
            alembic.upgrade(alembic.script_directory.get_revision("1001"))
            alembic.downgrade("base")
            see()
            alembic.revision("other branch", True, "other")
            alembic.revision("other still", True, "other")
            alembic.revision("spliced", True, "other", "1003", True)
            see()
            seen.append([s.revision for s in alembic.heads(True)])
            alembic.revision("depends", True, depend="1001", path="migrations")
            merged = alembic.merge(["1004", "1005"], "join", ["joined"])
            seen.append((merged.revision, sorted(merged.branch_labels)))
            seen.append(alembic.merge().doc)
            alembic.upgrade()
            see()
            operations = alembic.produce_migrations().upgrade_ops
            seen.append(operations.is_empty())

        seen.append({path.name for path in (root / "migrations").glob("*.py")})
        return seen

    both(tmp_path, original, work)


TARGETS = [
    *(("upgrade", target) for target in (1, "1", "+1", 2, "2", "+2", "heads", "head")),
    *(("upgrade", target) for target in ("1002", "1001+1", "100", "default@head", 9)),
    *(("upgrade", target) for target in ("base", "1000", "x9", "current", "")),
    *(("downgrade", target) for target in (-1, "-1", -2, "-2", "base", "1000", "100")),
    *(
        ("downgrade", target)
        for target in ("1001-1", "default@base", "x9", -9, "heads")
    ),
]


@pytest.mark.parametrize(("method", "target"), TARGETS, ids=str)
def test_a_target_means_the_same(
    method: str, target: object, original: type[Any], tmp_path: Path
) -> None:
    def work(root: Path, extension: type[Any]) -> object:
        app, alembic = make_flask("plain", root, extension, Model())

        with app.app_context():
            write_revisions(alembic, 4)

            alembic.upgrade("1001" if method == "upgrade" else "1002")

            try:
                getattr(alembic, method)(target)
            except Exception:
                return "refused", state_of(root)

        return "done", state_of(root)

    both(tmp_path, original, work)


@pytest.mark.parametrize(
    "args",
    [
        ("current",),
        ("current", "-v"),
        ("current", "--check-heads"),
        ("heads",),
        ("heads", "--verbose"),
        ("heads", "--resolve-dependencies"),
        ("branches",),
        ("branches", "-v"),
        ("log",),
        ("log", "-v"),
        ("log", "--start", "1001"),
        ("log", "--start", "current", "--end", "1002"),
        ("show", "1000"),
        ("show", "1001", "1002"),
        ("stamp", "1002"),
        ("mkdir",),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("applied", ["base", "1001", "1003"])
def test_a_command_prints_the_same(
    args: tuple[str, ...], applied: str, original: type[Any], tmp_path: Path
) -> None:
    def work(root: Path, extension: type[Any]) -> object:
        app, alembic = make_flask("plain", root, extension, Model())

        with app.app_context():
            write_revisions(alembic, 3)

            alembic.revision("branched", empty=True, parent="1001", splice=True)
            alembic.stamp(applied)

        # As a command finds it: Flask-Alembic knows less of files that it just wrote.
        app, _ = make_flask("plain", root, extension, Model())
        code, output = invoke(app, *args)
        output = output.replace(str(root), "ROOT")
        # The children of a revision are in no order there.
        children = sorted(re.findall(r"(?m)^    -> .*\n", output))
        output = re.sub(r"(?m)^    -> .*\n", "", output) + "".join(children)
        output = re.sub(r"(?m)^ *(Branches into|Create Date): .*$", r"\1", output)
        # What was a traceback is a sentence now.
        output = output if not code or "Error:" not in output else ""
        return code, output, state_of(root)

    both(tmp_path, original, work)


def test_check_and_check_heads_say_the_same_words(
    extension: type[Any], tmp_path: Path
) -> None:
    """Scripts of users look for them."""
    app, alembic = make_flask("plain", tmp_path, extension, Model())

    code, output = invoke(app, "check")
    assert (code, output.splitlines()[0]) == (1, "Changes detected.")

    with app.app_context():
        alembic.revision("make users")

    expected = (1, "Database is not on all head revisions\n")
    assert invoke(app, "current", "--check-heads") == expected
    assert invoke(app, "upgrade")[0] == 0
    assert invoke(app, "check") == (0, "No changes detected.\n")
    assert invoke(app, "current", "--check-heads")[0] == 0


@pytest.mark.parametrize("args", [("1",), ("-1",), ("-2",), ()])
def test_the_command_line_takes_back_as_many(
    args: tuple[str, ...], original: type[Any], tmp_path: Path
) -> None:
    """A number is negative there, as a minus is hard to give to a command."""

    def work(root: Path, extension: type[Any]) -> object:
        app, alembic = make_flask("plain", root, extension, Model())

        with app.app_context():
            write_revisions(alembic, 3)

            alembic.upgrade()

        end = ("--", *args) if extension is not SyncAlembic else args
        return invoke(app, "downgrade", *end)[0], state_of(root)

    both(tmp_path, original, work)


def test_the_errors_say_the_same_words(extension: type[Any], tmp_path: Path) -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.NullPool)
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "pass 'metadatas' when"),
        ({"metadatas": Model()}, "engines configured"),
        (
            {"metadatas": {"default": Model(), "x": Model()}, "engines": engine},
            "Missing engine config for 'x'",
        ),
    ]

    for number, (arguments, words) in enumerate(cases):
        app = cast("Flask", make_app("flask", tmp_path / str(number)))
        alembic = extension(app, **arguments)

        with app.app_context(), pytest.raises(RuntimeError) as info:
            alembic.current()

        assert words in str(info.value)


@pytest.mark.parametrize("multiple", [False, True], ids=["one", "several"])
def test_run_migrations_calls_the_function_with_the_same(
    multiple: bool, original: type[Any], tmp_path: Path
) -> None:
    def work(root: Path, extension: type[Any]) -> object:
        names = ["default", "other"] if multiple else ["default"]
        app = cast("Flask", make_app("flask", root))
        engines = {
            name: sa.create_engine(f"sqlite:///{root / name}.db", poolclass=sa.NullPool)
            for name in names
        }
        alembic = extension(
            app, metadatas={name: Model() for name in names}, engines=engines
        )
        args = "engine_name, tag" if multiple else "tag"
        write_revision(
            root / "migrations",
            "a1",
            None,
            "op.execute(f'CREATE TABLE {tag} (id INTEGER)')",
            args=args,
        )
        seen: list[object] = []

        def steps(heads: Any, context: MigrationContext) -> Any:
            seen.append((heads, type(context)))
            return alembic.script_directory._upgrade_revs("a1", heads)

        with app.app_context():
            alembic.run_migrations(steps, tag="tagged")
            seen.append([*alembic.migration_contexts])
            seen.append([*alembic.ops])

        for engine in engines.values():
            seen.append(sorted(sa.inspect(engine).get_table_names()))

        return seen

    both(tmp_path, original, work)


def test_the_ids_can_be_made_in_another_way(
    extension: type[Any], tmp_path: Path
) -> None:
    class Overridden(extension):  # type: ignore[misc]
        def rev_id(self) -> str:
            return "overridden"

    app = cast("Flask", make_app("flask", tmp_path))
    engine = sa.create_engine("sqlite://", poolclass=sa.NullPool)
    alembic: Any = Overridden(app, metadatas=Model(), engines=engine)

    with app.app_context():
        assert alembic.revision("one", empty=True)[0].revision == "overridden"
        alembic.rev_id = lambda: "assigned"
        assert alembic.revision("two", empty=True)[0].revision == "assigned"


# A project that moves, and one that moves back


@pytest.mark.parametrize("way", ["there", "back"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_project_can_move(
    kind: str, way: str, original: type[Any], tmp_path: Path
) -> None:
    """The migrations, the database and the config stay; the import is changed."""
    steps: list[type[Any]] = [original, SyncAlembic]
    steps = steps if way == "there" else steps[::-1]
    columns: list[str] = []

    for number, extension in enumerate(steps):
        columns.append(f"column_{number}")
        app, alembic = make_flask(kind, tmp_path, extension, Model(*columns))
        alembic.rev_id = lambda number=number: f"rev{number}"

        with app.app_context():
            assert alembic.needs_revision()
            alembic.revision(f"step {number}")
            alembic.upgrade()
            assert not alembic.needs_revision()
            assert not alembic.needs_upgrade()
            assert [s.revision for s in alembic.current()] == [f"rev{number}"]

    _, alembic = make_flask("plain", tmp_path, SyncAlembic, Model())
    scripts = alembic.log()
    assert [script.down_revision for script in scripts] == ["rev0", None]
    assert [script.branch_labels for script in scripts] == [{"default"}] * 2
    names = {path.name for path in (tmp_path / "migrations").glob("*.py")}
    assert names == {"rev0_step_0.py", "rev1_step_1.py"}


def test_nothing_warns(tmp_path: Path) -> None:
    """A user's ``filterwarnings = error`` holds, from the import to the teardown."""
    code = textwrap.dedent(
        f"""
        import sqlalchemy as sa
        from flask import Flask
        from flask_sqlalchemy import SQLAlchemy
        from async_alembic import SyncAlembic as Alembic

        app = Flask("shop", root_path={str(tmp_path)!r})
        app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///shop.db"
        db = SQLAlchemy(app)
        class User(db.Model):
            id = db.Column(db.Integer, primary_key=True)
        alembic = Alembic(app)

        with app.app_context():
            alembic.revision("make user")
            alembic.upgrade()
            alembic.op.drop_table("user")
            print(alembic.context.get_current_revision() is not None)
            print([diff[0] for diff in alembic.compare_metadata()])
            alembic.stamp("base")

        with app.app_context():
            db.engine.dispose()
        """
    )
    source = str(Path(async_alembic.__file__).parents[1])
    result = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stderr == ""
    assert result.stdout == "True\n['add_table']\n"


# The code blocks of Flask-Alembic's page on its usage


SETUP = """
from async_alembic import SyncAlembic as Alembic

alembic = Alembic()
alembic.init_app(app)  # call in the app factory if you're using that pattern
"""

SETUP_WITH_METADATA = """
from async_alembic import SyncAlembic as Alembic
from sqlalchemy.orm import DeclarativeBase

class Model(DeclarativeBase):
    pass

alembic = Alembic(metadatas=Model.metadata)
"""

COMMANDS = """
# generate a new revision
# same as `flask db revision "made changes"`
alembic.revision("made changes")

# run all available upgrades
# same as `flask db upgrade`
alembic.upgrade()
"""

INTERNALS = """
# locate a revision by name
alembic.script.get_revision("head")

# could compare this to the "head" revision above to see if upgrades are needed
alembic.context.get_current_revision()

# probably don't want to do this outside a revision, but it'll work
alembic.op.drop_column("my_table", "my_column")

# see that the column you just dropped will be added back next revision
alembic.compare_metadata()
"""

IN_CONTEXT = """
with app.app_context():
    alembic.upgrade()
"""


class Awaiting(ast.NodeTransformer):
    """What changes in these blocks for the awaited shell: the name of the class, an
    ``await`` for each call, and the app context of Quart.
    """

    def __init__(self, framework: Framework) -> None:
        self.framework = framework

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        for alias in node.names:
            if alias.name == "SyncAlembic":
                alias.name = "Alembic"

        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        called = ast.unparse(node.func)

        if re.match(r"alembic\.(?!init_app|script)", called):
            return ast.Await(node)

        return node

    def visit_With(self, node: ast.With) -> ast.AST:
        self.generic_visit(node)

        if self.framework == "quart":
            return ast.AsyncWith(node.items, node.body)

        return node


class Block:
    """Runs the code blocks, for one shell, in one namespace."""

    def __init__(
        self, caller: Caller, framework: Framework, names: dict[str, Any]
    ) -> None:
        self.caller = caller
        self.framework = framework
        self.names = names

    def run(self, code: str) -> list[Any]:
        """Run a block, and return what its expressions give."""
        seen: list[Any] = []
        self.names["seen"] = seen
        tree: Any = ast.parse(code)

        if self.caller.awaited:
            tree = Awaiting(self.framework).visit(tree)

        for number, node in enumerate(tree.body):
            if isinstance(node, ast.Expr):
                target = ast.parse("seen.append(0)").body[0]
                cast("Any", target).value.args = [node.value]
                tree.body[number] = target

        ast.fix_missing_locations(tree)
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        compiled = compile(tree, "<block>", "exec", flags)

        def call() -> Any:
            return eval(compiled, self.names)

        if compiled.co_flags & inspect.CO_COROUTINE:
            self.caller.run(_awaited(call))
        else:
            self.caller.block(call)

        return seen


async def _awaited(call: Callable[[], Any]) -> None:
    await call()


SYNC = [by_id("sqlite-sqlite3"), by_id("postgresql-psycopg2")]
ASYNC = [by_id("sqlite-aiosqlite"), by_id("postgresql-asyncpg")]


@pytest.mark.parametrize(
    ("framework", "caller", "kind", "backend"),
    [
        (framework, caller, kind, backend)
        for framework, caller, kind, backends in [
            ("flask", "blocking", "flask_sqlalchemy", SYNC),
            ("flask", "blocking", "flask_sqlalchemy_lite", SYNC + ASYNC),
            ("flask", "blocking", "url", SYNC + ASYNC),
            ("flask", "awaited", "flask_sqlalchemy", SYNC),
            ("flask", "awaited", "url", SYNC + ASYNC),
            ("quart", "awaited", "url", SYNC + ASYNC),
        ]
        for backend in backends
    ],
    indirect=["caller", "backend"],
    ids=str,
)
def test_the_code_blocks_of_the_usage_page_run(
    framework: Framework,
    caller: Caller,
    kind: str,
    backend: Backend,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    app: Any = make_app(framework, tmp_path)
    engine = engines(backend)
    url = engine.url.render_as_string(hide_password=False)
    block = Block(caller, framework, {"app": app})
    db: Any = None

    if kind == "flask_sqlalchemy":
        from flask_sqlalchemy import SQLAlchemy

        app.config["SQLALCHEMY_DATABASE_URI"] = url
        db = SQLAlchemy(app)
        _add_table(db.metadata)
        block.run(SETUP)
    else:
        if kind == "url":
            app.config["ALEMBIC"] = {"sqlalchemy.url": url}
        else:
            from flask_sqlalchemy_lite import SQLAlchemy as Lite

            key = "ASYNC_ENGINES" if backend.is_async else "ENGINES"
            app.config[f"SQLALCHEMY_{key}"] = {"default": {"url": url}}
            db = Lite(app, require_default_engine=False)

        block.run(SETUP_WITH_METADATA)
        _add_table(block.names["Model"].metadata)
        block.names["alembic"].init_app(app)

    with caller.inside(app):
        assert block.run(COMMANDS)[0][0].doc == "made changes"
        assert caller.columns(engine, "my_table") == {"id", "my_column"}
        head, current, _, differences = block.run(INTERNALS)
        assert head.revision == current
        assert caller.columns(engine, "my_table") == {"id"}
        assert [diff[0] for diff in differences] == ["add_column"]

    caller.execute(engine, "DROP TABLE my_table", "DROP TABLE alembic_version")
    block.run(IN_CONTEXT)
    assert caller.columns(engine, "my_table") == {"id", "my_column"}

    if db is not None:
        with app.app_context():
            for made in db.engines.values():
                made.dispose()

            for made in getattr(db, "async_engines", {}).values():
                caller.run(made.dispose())


def _add_table(metadata: sa.MetaData) -> None:
    sa.Table(
        "my_table",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("my_column", sa.Integer),
    )
