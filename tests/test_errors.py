"""Bad input: one sentence that names the thing and the way out, the right class, exit
code 1, and the database as it was. Awaited, blocking and on the command line.
"""

from __future__ import annotations

import asyncio
import functools
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from typing import cast

import pytest
import sqlalchemy as sa
from click import ClickException
from flask.sansio.app import App

from async_alembic import Alembic
from async_alembic import AmbiguousRevisionError
from async_alembic import AppError
from async_alembic import AsyncAlembicError
from async_alembic import BlockingCallError
from async_alembic import ConfigurationError
from async_alembic import DatabaseConnectionError
from async_alembic import DatabaseError
from async_alembic import MigrationError
from async_alembic import MultipleHeadsError
from async_alembic import NotUpToDateError
from async_alembic import RevisionError
from async_alembic import RevisionFileError
from async_alembic import RevisionNotFoundError
from async_alembic import ScriptLocationError
from async_alembic import SyncAlembic
from async_alembic import TargetError
from async_alembic import UnknownRevisionInDatabaseError

from .apps import AnyEngine
from .apps import Caller
from .apps import create_table
from .apps import Framework
from .apps import make_app
from .apps import on_both_frameworks
from .apps import write_revision
from .backends import Backend
from .backends import by_id
from .backends import DatabaseFactory
from .backends import EngineFactory
from .backends import on
from .backends import SHARED_BACKENDS
from .servers import free_port
from .servers import PASSWORD

Error = type[AsyncAlembicError]
#: Every way that a command is called in.
WAYS = ["awaited", "blocking", "command line"]
SERVER_BACKENDS = [b for b in SHARED_BACKENDS if b.database != "sqlite"]


def in_every_way(test: Any) -> Any:
    """Run a test in each way; on Flask with an engine, on Quart with an async one."""
    apps = [("flask", by_id("sqlite-sqlite3")), ("quart", by_id("sqlite-aiosqlite"))]
    test = pytest.mark.parametrize(
        ("framework", "backend"), apps, ids=str, indirect=["backend"]
    )(test)
    return pytest.mark.parametrize("way", WAYS)(test)


def on_every_server(test: Any) -> Any:
    """Run a test in each way, with each driver of a server; on Flask."""
    test = pytest.mark.parametrize("framework", ["flask"])(test)
    return on(SERVER_BACKENDS)(pytest.mark.parametrize("way", WAYS)(test))


@dataclass
class Project:
    """An app with a database, of which a command fails in one of the ways."""

    way: str
    app: App
    alembic: Alembic
    engine: AnyEngine | None
    migrations: Path
    look: Caller

    def fail(self, error: Error, command: str, *args: str) -> AsyncAlembicError:
        """Call a command, which must fail, and look at how it does.

        :param error: The class of the error.
        :param command: The name of the command and of the method.
        :param args: The arguments of both.
        :return: The error.
        """
        before = self.contents()
        raised = self._call(command, *args)
        assert type(raised) is error, f"{type(raised).__name__}: {raised}"
        check_sentence(str(raised))
        assert self.contents() == before
        return raised

    def contents(self) -> object:
        """What no failed command may change."""
        if self.engine is None:
            return None

        return self.look.tables(self.engine), self.look.versions(self.engine)

    def upgrade(self, target: str = "heads") -> None:
        """Bring the database somewhere first."""
        self.look.block(lambda: self.alembic.sync.upgrade(target))

    def _call(self, command: str, *args: str) -> BaseException:
        if self.way == "command line":
            return self._call_command_line(command, *args)

        method = getattr(self._shell, command.replace("-", "_"))

        with pytest.raises(Exception) as info:
            if self.way == "awaited":
                self.look.run(method(*args))
            else:
                self.look.block(lambda: method(*args))

        return info.value

    def _call_command_line(self, command: str, *args: str) -> BaseException:
        runner: Any = cast("Any", self.app).test_cli_runner()
        args = ("db", command, *args)
        raised = runner.invoke(args=args, standalone_mode=False).exception
        assert isinstance(raised, ClickException), repr(raised)
        # What a user sees of it.
        result = runner.invoke(args=args)
        assert result.exit_code == 1
        assert result.output.splitlines()[-1] == f"Error: {raised.__cause__}"
        assert "Traceback" not in result.output
        assert isinstance(raised.__cause__, AsyncAlembicError)
        return raised.__cause__

    @property
    def _shell(self) -> Any:
        return self.alembic if self.way == "awaited" else self.alembic.sync


#: What a message tells to do.
WAY_OUT = re.compile(
    r"\b(use|run|check|correct|give|name|remove|pass|call|enter|restore|choose|make"
    r"|must|needs|takes|see|set|delete|install|forget)\b|'db \w+'",
    re.IGNORECASE,
)


def check_sentence(message: str) -> None:
    """Whether a message is for people: what is wrong, and what to do."""
    assert "\n" not in message, message
    assert re.match(r"[A-Z']|app\.config", message), message
    assert message.endswith((".", "?")), message
    assert WAY_OUT.search(message), message
    assert not re.search(r"<\w+ (object|at)|  |\.\.$", message), message


ProjectFactory = Callable[..., Project]


@pytest.fixture
def project_for(
    request: pytest.FixtureRequest,
    engines: EngineFactory,
    runner: asyncio.Runner,
    tmp_path: Path,
) -> ProjectFactory:
    def make(way: str, framework: Framework, backend: Backend, **kw: Any) -> Project:
        app = make_app(framework, tmp_path, **kw.pop("config", {}))
        engine = kw.pop("engines") if "engines" in kw else engines(backend)
        kw.setdefault("metadatas", metadata())
        alembic = Alembic(app, engines=engine, **kw)
        look = Caller(runner, False)
        single = engine if hasattr(engine, "url") else None
        return Project(way, app, alembic, single, tmp_path / "migrations", look)

    return make


@pytest.fixture
def make(
    way: str, framework: Framework, backend: Backend, project_for: ProjectFactory
) -> ProjectFactory:
    """Make the project of a test's parameters: ``make(metadatas=..., config=...)``."""
    return functools.partial(project_for, way, framework, backend)


@pytest.fixture
def project(make: ProjectFactory) -> Project:
    """A history with two heads: ``a1``, ``ab12`` and ``ab34`` after it."""
    project = make()
    write_revision(project.migrations, "a1", None, create_table("users"))
    write_revision(project.migrations, "ab12", "a1", create_table("posts"))
    write_revision(project.migrations, "ab34", "a1", create_table("tags"))
    return project


def metadata() -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table("users", metadata, sa.Column("id", sa.Integer, primary_key=True))
    return metadata


# Targets


@in_every_way
@pytest.mark.parametrize(
    "args",
    [
        ("upgrade", "x9"),
        ("upgrade", "x9@head"),
        ("upgrade", "x9+1"),
        ("downgrade", "x9"),
        ("downgrade", "x9@base"),
        ("stamp", "x9"),
    ],
    ids=" ".join,
)
def test_an_unknown_revision_is_named(project: Project, args: tuple[str, str]) -> None:
    project.upgrade("ab12")
    error = project.fail(RevisionNotFoundError, *args)
    assert "x9" in str(error)
    assert "'db log'" in str(error)
    assert "x9" in cast("RevisionNotFoundError", error).revision


@pytest.mark.parametrize("shell", ["awaited", "blocking"])
@pytest.mark.parametrize(
    "call",
    [
        lambda a: a.log(start="x9"),
        lambda a: a.log(end="x9"),
        lambda a: a.merge(["ab12", "x9"]),
        lambda a: a.revision("m", empty=True, parent="x9"),
        lambda a: a.revision("m", empty=True, parent="ab12", depend="x9"),
        lambda a: a.revision("m", empty=True, parent=["ab12", "x9"]),
    ],
    ids=["start", "end", "merge", "parent", "depend", "parents"],
)
def test_an_unknown_revision_is_named_where_only_files_are_read(
    shell: str, call: Any, project_for: ProjectFactory
) -> None:
    project = project_for(shell, "flask", by_id("sqlite-sqlite3"))
    write_revision(project.migrations, "a1")
    write_revision(project.migrations, "ab12", "a1")
    files = sorted(project.migrations.iterdir())

    with pytest.raises(RevisionNotFoundError, match="'x9'") as info:
        if shell == "awaited":
            project.look.run(call(project.alembic))
        else:
            call(project.alembic.sync)

    check_sentence(str(info.value))
    assert sorted(project.migrations.iterdir()) == files


@pytest.mark.parametrize(
    "args",
    [
        ("log", "--start", "x9"),
        ("log", "--end", "x9"),
        ("show", "x9"),
        ("show", "a1", "x9"),
        ("merge", "ab12", "x9"),
        ("revision", "m", "--empty", "-p", "x9"),
        ("revision", "m", "--empty", "-p", "ab12", "-d", "x9"),
    ],
    ids=" ".join,
)
def test_an_unknown_revision_is_named_on_the_command_line(
    args: tuple[str, ...], project_for: ProjectFactory
) -> None:
    project = project_for("command line", "flask", by_id("sqlite-sqlite3"))
    write_revision(project.migrations, "a1")
    write_revision(project.migrations, "ab12", "a1")
    assert "'x9'" in str(project.fail(RevisionNotFoundError, *args))


@in_every_way
def test_a_log_that_goes_nowhere_is_refused(project: Project) -> None:
    """From one branch to the other."""
    log = ("--start", "ab12", "--end", "ab34")
    args = log if project.way == "command line" else ("ab12", "ab34")
    assert "'db log'" in str(project.fail(RevisionError, "log", *args))


@in_every_way
@pytest.mark.parametrize("command", ["upgrade", "downgrade", "stamp"])
def test_an_ambiguous_revision_is_named(project: Project, command: str) -> None:
    project.upgrade("ab12")
    error = project.fail(AmbiguousRevisionError, command, "ab")
    assert "'ab'" in str(error)
    assert cast("AmbiguousRevisionError", error).revision == "ab"


@in_every_way
@pytest.mark.parametrize(
    "args", [("upgrade", "head"), ("revision", "message")], ids=" ".join
)
def test_several_heads_are_named_where_one_is_needed(
    project: Project, args: tuple[str, ...]
) -> None:
    project.upgrade()
    files = sorted(project.migrations.iterdir())
    error = project.fail(MultipleHeadsError, *args)
    assert sorted(cast("MultipleHeadsError", error).heads) == ["ab12", "ab34"]
    assert "ab12" in str(error) and "ab34" in str(error)
    assert "'db merge'" in str(error)
    assert sorted(project.migrations.iterdir()) == files


@in_every_way
@pytest.mark.parametrize(
    ("start", "args"),
    [
        ("heads", ("downgrade", "1")),
        ("base", ("upgrade", "2")),
        ("ab12", ("upgrade", "+9")),
        ("ab12", ("downgrade", "9")),
        ("base", ("downgrade", "1")),
        ("a1", ("downgrade", "ab12")),
        ("ab12", ("downgrade", "ab34")),
        ("a1", ("upgrade", "")),
    ],
    ids=str,
)
def test_a_target_that_cannot_be_reached_is_refused(
    project: Project, start: str, args: tuple[str, ...]
) -> None:
    if start != "base":
        project.upgrade(start)

    before = project.contents()
    raised = project._call(*args)
    assert isinstance(raised, RevisionError)
    check_sentence(str(raised))
    assert project.contents() == before


# What the database says


@in_every_way
@pytest.mark.parametrize(
    "args",
    [
        ("current",),
        ("upgrade",),
        ("downgrade",),
        ("downgrade", "a1"),
        ("stamp", "a1"),
        ("revision", "message"),
    ],
    ids=" ".join,
)
def test_a_revision_that_only_the_database_knows_is_named(
    project: Project, args: tuple[str, ...]
) -> None:
    """As after a deploy was rolled back."""
    (project.migrations / "ab34.py").unlink()
    project.upgrade()
    assert project.engine is not None
    project.look.execute(project.engine, "UPDATE alembic_version SET version_num='x9'")
    error = project.fail(UnknownRevisionInDatabaseError, *args)
    assert "x9" in str(error) and "'default'" in str(error)
    assert "'db stamp --purge'" in str(error)
    error = cast("UnknownRevisionInDatabaseError", error)
    assert (error.database, error.revisions) == ("default", ("x9",))


@in_every_way
def test_of_several_databases_the_right_one_is_named(
    backend: Backend, engines: EngineFactory, make: ProjectFactory
) -> None:
    made: Any = {name: engines(backend) for name in ("default", "other")}
    names = {name: sa.MetaData() for name in made}
    project = make(engines=made, metadatas=names)
    write_revision(project.migrations, "a1", args="engine_name")
    project.upgrade()
    project.look.execute(made["other"], "UPDATE alembic_version SET version_num='x9'")
    error = project.fail(UnknownRevisionInDatabaseError, "upgrade")
    assert cast("UnknownRevisionInDatabaseError", error).database == "other"
    assert project.look.versions(made["default"]) == ["a1"]


@in_every_way
def test_a_database_that_is_behind_is_named_before_it_is_compared(
    project: Project,
) -> None:
    (project.migrations / "ab34.py").unlink()
    project.upgrade("a1")
    error = project.fail(NotUpToDateError, "revision", "message")
    assert "'default'" in str(error) and "'db upgrade'" in str(error)
    assert not [*project.migrations.glob("*message*")]


@in_every_way
def test_a_failing_revision_is_named(project: Project) -> None:
    path = write_revision(
        project.migrations, "c3", "ab12", f"{create_table('more')}\n1 / 0"
    )
    project.upgrade("a1")
    error = cast("MigrationError", project.fail(MigrationError, "upgrade", "c3"))
    assert "division by zero" in str(error)
    assert str(path) in str(error)
    assert (error.revision, error.database) == ("c3", "default")
    assert isinstance(error.__cause__, ZeroDivisionError)


@in_every_way
def test_what_a_revision_writes_into_the_database_is_not_shown(
    project: Project,
) -> None:
    """The parameters of a statement can be secrets, and errors end in logs."""
    statement = "sa.text('INSERT INTO users VALUES (:a, :b)').bindparams(a=1, b='s3c')"
    write_revision(project.migrations, "c3", "ab12", f"op.execute({statement})")
    error = project.fail(MigrationError, "upgrade", "c3")
    assert "INSERT INTO users" in str(error)
    assert "s3c" not in str(error)


@in_every_way
def test_a_database_that_refuses_is_told_from_a_failing_revision(
    project: Project,
) -> None:
    """A file that is no database is found out with the first statement."""
    assert project.engine is not None
    Path(str(project.engine.url.database)).write_text("no database, but a text " * 99)
    project.engine = None
    error = project.fail(DatabaseError, "upgrade")
    assert "file is not a database" in str(error)


# Revision files


@in_every_way
@pytest.mark.parametrize(
    ("text", "line", "named"),
    [
        ("revision = 'x9'\ndown_revision = 'a1'\ndef upgrade(:\n", 3, "SyntaxError"),
        ("revision = 'x9'\ndown_revision = 'a1'\n  x = 1\n", 3, "IndentationError"),
        ("import gone\nrevision = 'x9'\ndown_revision = 'a1'\n", 1, "'gone'"),
        ("revision = 'x9'\ndown_revision = 'a1'\n\n1 / 0\n", 4, "division by zero"),
        ("revision = 'x9'\n", 1, "down_revision"),
        ("revision = 'x9'\ndown_revision = 'y9'\n", 2, "y9"),
        ("revision = 'a1'\ndown_revision = None\n", 1, "a1.py"),
        ("revision = 'x9'\ndown_revision = 'x9'\n", 2, "x9"),
        ("revision = 'x9'\ndown_revision = None\ndepends_on = 'y9'\n", 3, "y9"),
        ("revision = 9\ndown_revision = None\n", 1, "revision"),
        ("revision = 'x9'\ndown_revision = 9\n", 2, "down_revision"),
        ("revision = 'x-9'\ndown_revision = None\n", 1, "x-9"),
        (
            "revision = 'x9'\ndown_revision = None\nbranch_labels = ('ab12',)\n",
            3,
            "ab12",
        ),
    ],
    ids=[
        *(
            "syntax",
            "indentation",
            "import",
            "code",
            "no parent",
            "lost parent",
        ),
        *("duplicate", "own parent", "lost dependency", "number", "number as parent"),
        *("reserved character", "label like an id"),
    ],
)
@pytest.mark.parametrize("folder", ["", "versions"])
def test_a_broken_revision_file_is_named_with_its_line(
    project: Project, folder: str, text: str, line: int, named: str
) -> None:
    project.upgrade("a1")
    path = project.migrations / folder / "bad.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    error = cast("RevisionFileError", project.fail(RevisionFileError, "upgrade"))
    assert f"Revision file {path}, line {line}: " in str(error)
    assert named in str(error)
    assert (error.path, error.line) == (str(path), line)


@in_every_way
@pytest.mark.parametrize(
    ("args", "missing"), [(("upgrade", "x9"), "upgrade"), (("downgrade",), "downgrade")]
)
def test_a_revision_without_its_function_is_named(
    project: Project, args: tuple[str, ...], missing: str
) -> None:
    path = write_revision(project.migrations, "x9", "ab12")
    project.upgrade("x9" if missing == "downgrade" else "a1")
    path.write_text(path.read_text().replace(f"def {missing}(", "def forgotten("))
    error = cast("RevisionFileError", project.fail(RevisionFileError, *args))
    assert f"'{missing}'" in str(error)
    assert error.path == str(path)


@in_every_way
def test_revisions_in_a_circle_are_named(project: Project) -> None:
    project.upgrade("a1")
    write_revision(project.migrations, "x1", "x3")
    write_revision(project.migrations, "x2", "x1")
    write_revision(project.migrations, "x3", "x2")
    error = cast("RevisionFileError", project.fail(RevisionFileError, "upgrade"))
    assert "x1, x2, x3" in str(error)
    assert Path(error.path).name in {"x1.py", "x2.py", "x3.py"}
    assert error.line == 5


@in_every_way
@pytest.mark.parametrize(
    "command", ["current", "heads", "branches", "log", "stamp", "downgrade", "merge"]
)
def test_every_command_names_a_broken_file(project: Project, command: str) -> None:
    project.upgrade("a1")
    write_revision(project.migrations, "x9", "gone")
    project.fail(RevisionFileError, command)


# What is missing


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


# Connecting


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "url",
    [
        "no url at all",
        "postgresql:/tester:s3cret@host/name",
        "postgresql://tester:s3cret@host:port/name",
        "postgresql://tester@host:s3cret/name",
        "postgresql+nothing://tester:s3cret@host/name",
        "nothing://tester:s3cret@host/name",
        "oracle+cx_oracle://tester:s3cret@host/name",
    ],
)
def test_a_wrong_url_is_named_and_its_password_is_not(
    way: str, url: Any, project_for: ProjectFactory
) -> None:
    """The driver of the last but one is not installed."""
    config = {"ALEMBIC": {"sqlalchemy.url": url}}
    backend = by_id("sqlite-sqlite3")
    project = project_for(way, "flask", backend, engines=None, config=config)
    error = project.fail(ConfigurationError, "upgrade")
    assert "app.config['ALEMBIC']['sqlalchemy.url']" in str(error)
    text = "".join(traceback.format_exception(error))

    assert "s3cret" not in text


@on_every_server
def test_a_refused_connection_names_the_database(
    backend: Backend, engines: EngineFactory, make: ProjectFactory
) -> None:
    url = sa.URL.create(
        backend.drivername, "tester", PASSWORD, "127.0.0.1", free_port(), "shop"
    )
    project = make(engines=engines(backend, url))
    project.engine = None
    error = project.fail(DatabaseConnectionError, "upgrade")
    check_connection_error(error, url)


@on_every_server
def test_a_wrong_password_is_never_shown(
    backend: Backend,
    engines: EngineFactory,
    database_factory: DatabaseFactory,
    make: ProjectFactory,
) -> None:
    """Neither in the message nor in what a log shows of the error and its causes."""
    right = database_factory(backend)
    url = right.set(password="s3cr%t:wr@ng/word")
    project = make(engines=engines(backend, url))
    project.engine = None
    error = project.fail(DatabaseConnectionError, "upgrade")
    check_connection_error(error, url)
    assert not re.search(r"role .* does not exist", str(error))


@on_every_server
def test_a_missing_database_is_named(
    backend: Backend,
    engines: EngineFactory,
    database_factory: DatabaseFactory,
    make: ProjectFactory,
) -> None:
    url = database_factory(backend).set(database="test_gone")
    project = make(engines=engines(backend, url))
    project.engine = None
    error = project.fail(DatabaseConnectionError, "upgrade")
    check_connection_error(error, url)
    assert "test_gone" in str(error)


@in_every_way
def test_a_file_that_cannot_be_opened_is_named(
    backend: Backend,
    tmp_path: Path,
    engines: EngineFactory,
    make: ProjectFactory,
) -> None:
    url = sa.URL.create(backend.drivername, database=str(tmp_path / "gone" / "shop.db"))
    project = make(engines=engines(backend, url))
    project.engine = None
    error = project.fail(DatabaseConnectionError, "upgrade")
    check_connection_error(error, url)
    # The driver's thread tells the loop that it is gone, which must be there still.
    project.look.run(asyncio.sleep(0.05))


def check_connection_error(error: AsyncAlembicError, url: sa.URL) -> None:
    error = cast("DatabaseConnectionError", error)
    assert f"database 'default' at {url.render_as_string()}: " in str(error)
    assert "Check the URL, the login" in str(error)
    assert error.database == "default"
    assert error.url == url.render_as_string()

    if url.password:
        shown = "".join(traceback.format_exception(error))
        quoted = url.render_as_string(hide_password=False)
        encoded = quoted.partition(f"{url.username}:")[2].partition("@")[0]
        assert encoded and encoded not in shown
        assert str(url.password) not in shown


# Apps


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


# Blocking calls where a loop runs


METHODS: dict[str, tuple[Any, ...]] = {
    "mkdir": (),
    "current": (),
    "heads": (),
    "branches": (),
    "log": (),
    "stamp": (),
    "upgrade": (),
    "downgrade": (),
    "revision": ("message",),
    "merge": (),
    "produce_migrations": (),
    "compare_metadata": (),
    "needs_upgrade": (),
    "needs_revision": (),
    "status": (),
    "wait_until_current": (),
    "run_migrations": (lambda heads, context: [],),
    "run": (lambda env: None,),
}
LIVE = ["op", "ops", "context", "migration_context", "migration_contexts"]
#: What there is to await instead is called by the short name.
SHORT = {"ops": "op", "migration_context": "context", "migration_contexts": "context"}


def test_every_method_that_may_block_is_known() -> None:
    names = {name for name in dir(SyncAlembic) if not name.startswith("_")}
    free = {"init_app", "rev_id", "config", "script", "script_directory"}
    free |= {"environment_context", "env"}
    assert names - free == {*METHODS, *LIVE}


@pytest.mark.parametrize("name", [*METHODS, *LIVE])
@on([by_id("sqlite-sqlite3"), by_id("sqlite-aiosqlite")])
async def test_a_blocking_call_is_refused_where_a_loop_runs(
    name: str, backend: Backend, engine_for: EngineFactory, tmp_path: Path
) -> None:
    """It would stall every other task."""
    app = make_app("quart", tmp_path)
    engine = engine_for(backend)
    alembic = SyncAlembic(app, metadatas=metadata(), engines=engine)
    write_revision(tmp_path / "migrations", "a1", None, create_table("users"))
    files = sorted((tmp_path / "migrations").iterdir())

    async with cast("Any", app).app_context():
        with pytest.raises(BlockingCallError) as info:
            attribute = getattr(alembic, name)
            attribute(*METHODS[name])

    assert info.value.method == SHORT.get(name, name)
    assert f"'SyncAlembic.{info.value.method}'" in str(info.value)
    assert f"'await alembic.{info.value.method}" in str(info.value)
    check_sentence(str(info.value))
    assert sorted((tmp_path / "migrations").iterdir()) == files
    assert await _tables(engine) == []


async def _tables(engine: AnyEngine) -> list[str]:
    if isinstance(engine, sa.Engine):
        return sa.inspect(engine).get_table_names()

    async with engine.connect() as connection:
        return await connection.run_sync(lambda c: sa.inspect(c).get_table_names())


async def test_a_blocking_call_is_let_through_in_another_thread(
    engine_for: EngineFactory, tmp_path: Path
) -> None:
    app = make_app("quart", tmp_path)
    engine = engine_for(by_id("sqlite-aiosqlite"))
    alembic = SyncAlembic(app, metadatas=metadata(), engines=engine)
    write_revision(tmp_path / "migrations", "a1")
    scripts = await asyncio.to_thread(alembic.upgrade)
    assert [script.revision for script in scripts] == ["a1"]


# Settings


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
