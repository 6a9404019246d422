"""A revision imports the types that it names, or is not written."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.dialects import postgresql

from async_alembic import RevisionError

from ..backends import Backend
from ..backends import EngineFactory
from ..backends import on
from ..generating import table
from ..harness import Caller
from ..harness import ONE_OF_EACH_KIND
from ..projects import Project

#: The module of an app.
OWN = """
import sqlalchemy as sa

class Trimmed(sa.TypeDecorator):
    impl = sa.String
    cache_ok = True

class Outer:
    class Inner(Trimmed):
        cache_ok = True

class Renamed(Trimmed):
    cache_ok = True

    def __init__(self, size):
        super().__init__(size)

class Widened(Trimmed):
    cache_ok = True

    def __init__(self, length=10):
        super().__init__(length * 2)

class Backend:
    pass

class Packed(Trimmed):
    cache_ok = True

    def __init__(self, backend=Backend):
        self.backend = backend
        super().__init__(20)

    def __repr__(self):
        return f"Packed(backend={self.backend.__name__})"

class Encrypted(Trimmed):
    cache_ok = True

    def __init__(self, key):
        self.key = key
        super().__init__(20)

    def __repr__(self):
        return f"Encrypted({self.key!r})"

class Opaque(Trimmed):
    cache_ok = True

    def __repr__(self):
        return "<hunter2>"

class Point(sa.types.UserDefinedType):
    cache_ok = True

    def get_col_spec(self, **kw):
        return "VARCHAR(30)"

def local():
    class Local(Trimmed):
        cache_ok = True

    return Local(20)

Main = type("Main", (Trimmed,), {"__module__": "__main__", "cache_ok": True})
Lost = type("Lost", (Trimmed,), {"__module__": "lost.types", "cache_ok": True})
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of the app."""
    name = f"own_{abs(hash(tmp_path))}"
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / f"{name}.py").write_text(OWN)
    monkeypatch.syspath_prepend(folder)
    return importlib.import_module(name)


@on(ONE_OF_EACH_KIND)
def test_types_of_the_app_are_imported(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path, own: Any
) -> None:
    dialect = engines(backend).dialect.name
    metadata = table(
        "users",
        sa.Column("one", own.Trimmed(20), nullable=False),
        sa.Column("two", own.Outer.Inner(10)),
        sa.Column("three", sa.Integer().with_variant(own.Point(), dialect)),
        sa.Column("four", own.Trimmed(9).with_variant(sa.Text(), dialect)),
    )
    project = Project(tmp_path, engines, backend=backend, metadatas=metadata)
    (script,) = caller(project.alembic, "revision", "one")
    assert f"\nimport {own.__name__}\n" in Path(script.path).read_text()

    for step in "upgrade", "downgrade", "upgrade":
        caller(project.alembic, step)

    assert caller.columns(project.engine, "users") == {
        *("id", "one", "two", "three", "four")
    }


@on(ONE_OF_EACH_KIND)
def test_a_changed_type_is_imported(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path, own: Any
) -> None:
    metadata = table("users", sa.Column("name", own.Trimmed(20)))
    project = Project(tmp_path, engines, backend=backend, metadatas=metadata)
    caller.execute(
        project.engine,
        "CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(5))",
    )
    (script,) = caller(project.alembic, "revision", "one")
    assert f"\nimport {own.__name__}\n" in Path(script.path).read_text()

    for step in "upgrade", "downgrade", "upgrade":
        caller(project.alembic, step)

    assert caller(project.alembic, "compare_metadata") == []


@on(ONE_OF_EACH_KIND)
def test_types_of_sqlalchemy_keep_their_arguments(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """The ``repr()`` of a decorator has the arguments of what it decorates."""
    dialect = engines(backend).dialect.name
    metadata = table(
        "tasks",
        sa.Column("one", sa.Interval(native=False)),
        sa.Column("two", sa.Interval(second_precision=3, day_precision=2)),
        sa.Column("three", sa.Interval(native=False).with_variant(sa.Date(), dialect)),
        sa.Column("four", sa.PickleType(impl=sa.LargeBinary(70_000))),
        sa.Column("five", sa.PickleType()),
    )
    project = Project(tmp_path, engines, backend=backend, metadatas=metadata)
    caller(project.alembic, "revision", "one")
    caller(project.alembic, "upgrade")
    assert caller(project.alembic, "compare_metadata") == []
    other = engines(backend)
    caller.begin(other, metadata.create_all)
    columns = [
        caller.begin(engine, lambda c: repr(sa.inspect(c).get_columns("tasks")))
        for engine in (project.engine, other)
    ]
    assert columns[0] == columns[1]


@pytest.mark.parametrize(
    ("package", "make", "text"),
    [
        (
            "sqlmodel",
            lambda package: package.AutoString(length=9),
            "sqlmodel.sql.sqltypes.AutoString(length=9)",
        ),
        (
            "pgvector.sqlalchemy",
            lambda package: package.HALFVEC(3),
            "pgvector.sqlalchemy.halfvec.HALFVEC(dim=3)",
        ),
        (
            "sqlalchemy_utils",
            lambda package: package.EmailType(),
            "sqlalchemy_utils.types.email.EmailType(length=255)",
        ),
        (
            "sqlalchemy_utils",
            lambda package: package.ScalarListType(),
            "sqlalchemy_utils.types.scalar_list.ScalarListType()",
        ),
        (
            "advanced_alchemy.types.datetime",
            lambda package: package.DateTimeUTC(timezone=True),
            "advanced_alchemy.types.datetime.DateTimeUTC(timezone=True)",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_types_of_packages_are_imported(
    package: str,
    make: Callable[[Any], Any],
    text: str,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
) -> None:
    type_ = make(importlib.import_module(package))
    project = Project(tmp_path, engines, metadatas=table("a", sa.Column("x", type_)))
    (script,) = caller(project.alembic, "revision", "one")
    written = Path(script.path).read_text()
    assert f"sa.Column('x', {text}, nullable=True)" in written
    assert f"\nimport {type(type_).__module__}\n" in written

    for step in "upgrade", "downgrade", "upgrade":
        caller(project.alembic, step)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda own: own.Renamed(20), r"unexpected keyword argument 'length'"),
        (lambda own: own.Packed(), "NameError: name 'Backend' is not defined"),
        (lambda own: own.Widened(5), r"is VARCHAR\(20\), not VARCHAR\(10\)"),
        (lambda own: own.Opaque(), r"its repr\(\) is no Python\. No"),
        (lambda own: own.Encrypted("hunter2"), "its 'key' would be in the file"),
        (lambda own: own.local(), "it is defined in a function"),
        (lambda own: own.Main(20), "it is defined in the script that runs"),
        (lambda own: own.Lost(20), "its module 'lost.types' cannot be imported"),
        (
            lambda own: sa.Text().with_variant(own.Encrypted("hunter2"), "oracle"),
            "its 'key' would be in the file",
        ),
        (
            lambda own: sa.ARRAY(own.Encrypted("hunter2")),
            "its 'key' would be in the file",
        ),
    ],
)
def test_a_type_that_could_not_be_run_is_refused(
    make: Callable[[Any], Any],
    reason: str,
    caller: Caller,
    engines: EngineFactory,
    tmp_path: Path,
    own: Any,
) -> None:
    project = Project(
        tmp_path, engines, metadatas=table("a", sa.Column("x", make(own)))
    )

    with pytest.raises(RevisionError, match=reason) as caught:
        caller(project.alembic, "revision", "one")

    assert " of column 'a.x' cannot be written into a revision: " in str(caught.value)
    assert "'render_item' in app.config['ALEMBIC_CONTEXT']" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert [*project.folder.glob("*.py")] == []


@pytest.mark.parametrize("name", ["ChoiceType", "TimezoneType"])
def test_types_of_sqlalchemy_utils_that_cannot_be_made_again_are_refused(
    name: str, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    package = pytest.importorskip("sqlalchemy_utils")
    options: dict[str, Any] = {"choices": [("a", "A")]} if name == "ChoiceType" else {}
    options |= {"backend": "zoneinfo"} if name == "TimezoneType" else {}
    metadata = table("a", sa.Column("x", getattr(package, name)(**options)))
    project = Project(tmp_path, engines, metadatas=metadata)

    with pytest.raises(RevisionError, match=rf"type {name} .* as \"sa\.Unicode\(len"):
        caller(project.alembic, "revision", "one")


@pytest.mark.parametrize("way", ["render_item", "user_module_prefix", "template"])
def test_what_the_app_says_goes_first(
    way: str, caller: Caller, engines: EngineFactory, tmp_path: Path, own: Any
) -> None:
    def render(kind: str, item: Any, context: Any) -> str | bool:
        return "sa.String(20)" if isinstance(item, own.Packed) else False

    contexts: dict[str, dict[str, Any]] = {
        "render_item": {"render_item": render},
        "user_module_prefix": {"user_module_prefix": "own."},
        "template": {},
    }
    metadata = table("a", sa.Column("x", own.Packed()))
    project = Project(tmp_path, engines, metadatas=metadata, context=contexts[way])

    if way != "render_item":
        template = project.folder / "script.py.mako"
        lines = (
            f"import {own.__name__} as own\nfrom {own.__name__} import (\n Backend,\n)"
        )
        text = template.read_text().replace("from alembic", f"{lines}\nfrom alembic", 1)
        template.write_text(text)

    caller(project.alembic, "revision", "one")
    caller(project.alembic, "upgrade")
    assert caller.columns(project.engine, "a") == {"id", "x"}


def test_none_of_several_revisions_is_written(
    caller: Caller, engines: EngineFactory, tmp_path: Path, own: Any
) -> None:
    """Alembic writes the first before it looks at the second."""

    def process(context: Any, revision: Any, directives: Any) -> None:
        first = ops.MigrationScript(
            "first",
            ops.UpgradeOps([ops.ExecuteSQLOp("SELECT 1")]),
            ops.DowngradeOps([]),
            head="head",
        )
        directives.insert(0, first)

    project = Project(
        tmp_path,
        engines,
        metadatas=table("a", sa.Column("x", own.Encrypted("hunter2"))),
        context={"process_revision_directives": process},
    )

    with pytest.raises(RevisionError, match="'a.x'"):
        caller(project.alembic, "revision", "one")

    assert [*project.folder.glob("*.py")] == []


@on(ONE_OF_EACH_KIND)
def test_a_variant_of_another_database_runs(
    backend: Backend, caller: Caller, engines: EngineFactory, tmp_path: Path
) -> None:
    """Alembic writes ``Text()`` without its module into it."""
    variant = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    metadata = table("a", sa.Column("x", variant))
    project = Project(tmp_path, engines, backend=backend, metadatas=metadata)
    (script,) = caller(project.alembic, "revision", "one")
    assert "with_variant(postgresql.JSONB(" in Path(script.path).read_text()
    caller(project.alembic, "upgrade")
    assert caller(project.alembic, "compare_metadata") == []
