"""The walls of the house, as CONTRIBUTING describes them, kept by a walk over the
source: what a module may import, what it may know, and what it uses that is private.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import alembic.op
import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script import write_hooks
from psycopg.types.array import ListDumper
from sqlalchemy.dialects.postgresql import asyncpg

import async_alembic

SOURCE = Path(async_alembic.__file__).parent
MOST_LINES = 400

#: From the bottom to the top. A module may import what stands below it, nothing else.
LAYERS = [
    {
        "holders",
        "partial",
        "signals",
        "access",
        "headers",
        "listing",
        "compiled",
        "once",
    },
    {"errors"},
    {"status", "revisions", "config", "isolation", "translation", "proxies"},
    {"history", "writing", "dialects", "engines", "records"},
    {"overrides", "version_updates"},
    {"reading", "locking"},
    {"scripts"},
    {"project"},
    {"environment"},
    {"commands", "runners"},
    {"sources"},
    {"registry"},
    {"calls", "live"},
    {"shell", "importing"},
    {"sync"},
    {"extension"},
    {"cli"},
    {"testing"},
]

#: Imports that point up, each with the reason why it is let through.
UPWARD = {
    ("shell", "cli"): "'init_app' adds the group, and imports it then.",
    ("shell", "sync"): "The type of what the group of commands is given.",
}

DATABASES = re.compile(
    r"\b(sqlite3?|aiosqlite|postgres(ql)?|asyncpg|psycopg2?|mysql|mariadb|pymysql"
    r"|asyncmy|aiomysql|oracle|mssql)\b",
    re.IGNORECASE,
)
#: A URL that is shown as an example names a database, and knows none.
EXAMPLE_URL = re.compile(r"'[a-z+]+://[a-z@/]+'")


@dataclass(frozen=True)
class Import:
    """One import in a module of the package.

    :param target: What is imported, from the root: ``alembic.config.Config``, and
        ``.registry`` for what is ours.
    """

    module: str
    line: int
    target: str
    for_types: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"

    @property
    def part(self) -> str:
        """The module or package of ours that imports; none for ``__init__``."""
        return self.module.split(".")[0]

    @property
    def ours(self) -> str | None:
        """The module or package of ours that is imported."""
        return self.target[1:].split(".")[0] if self.target.startswith(".") else None


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def name_of(path: Path) -> str:
    """``commands.migrate`` for a file, ``commands`` for its ``__init__``."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def part_of(path: Path) -> str:
    """The module or package of ours that a file belongs to; none for ``__init__``."""
    return name_of(path).split(".")[0]


def imports(path: Path) -> Iterator[Import]:
    tree = parse(path)
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }

    for node in ast.walk(tree):
        for target in _targets(node, path):
            yield Import(
                name_of(path),
                getattr(node, "lineno", 0),
                target,
                id(node) in for_types,
            )


def _targets(node: ast.AST, path: Path) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and not node.level:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        package = path.relative_to(SOURCE).parent.parts
        base = package[: len(package) - node.level + 1]
        inner = (node.module,) if node.module else ()

        for alias in node.names:
            yield "." + ".".join((*base, *inner, alias.name))


ALL_IMPORTS = [found for path in modules() for found in imports(path)]


def rank(part: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if part in layer)


def test_every_module_has_its_place_in_the_layers() -> None:
    placed = [part for layer in LAYERS for part in layer]
    # The public names are beside the layers.
    found = {part_of(path) for path in modules()} - {""}
    assert sorted(placed) == sorted(found)


def test_imports_point_downwards() -> None:
    upwards = [
        str(found)
        for found in ALL_IMPORTS
        if found.ours
        if (source := found.part) not in {"", found.ours}
        if rank(found.ours) >= rank(source) and (source, found.ours) not in UPWARD
    ]
    assert not upwards


def test_each_exception_to_the_direction_is_still_needed() -> None:
    edges = {(found.part, found.ours) for found in ALL_IMPORTS}
    assert set(UPWARD) <= edges


@pytest.mark.parametrize(
    ("part", "unknown"),
    [
        # Loops, engines, frameworks, and how a command is run.
        (
            part,
            {
                *("asyncio", "anyio", "threading", "concurrent", "contextvars"),
                *("flask", "quart", "click", "sqlalchemy.ext.asyncio"),
                *("sqlalchemy.Engine", "sqlalchemy.create_engine"),
                *(".runners", ".calls", ".registry", ".sources", ".live", ".shell"),
            },
        )
        for part in ("commands", "environment", "scripts", "dialects", "revisions")
    ]
    + [
        ("runners", {"alembic", "flask", "quart", "click", ".environment", ".scripts"}),
        ("calls", {"flask", "quart", "click"}),
        ("revisions", {"sqlalchemy", "os", "pathlib", "alembic"}),
        ("errors", {"alembic", "sqlalchemy", "flask", "quart", "click"}),
        ("config", {"flask", "quart", "asyncio", "anyio", "click"}),
        ("cli", {"alembic", "asyncio", "anyio", "sqlalchemy", ".runners", ".calls"}),
        ("testing.plugin", {"alembic", "sqlalchemy", "asyncio", "flask", "quart"}),
        (
            "testing.checks",
            {"asyncio", "anyio", "threading", "pytest", "flask", "quart", ".runners"},
        ),
        (
            "testing.servers",
            {
                "alembic",
                "asyncio",
                "anyio",
                "threading",
                "pytest",
                "flask",
                ".registry",
            },
        ),
    ],
)
def test_a_part_does_not_know(part: str, unknown: set[str]) -> None:
    known = [
        str(found)
        for found in ALL_IMPORTS
        if f"{found.module}.".startswith(f"{part}.") and not found.for_types
        for name in unknown
        if f"{found.target}.".startswith(f"{name}.")
    ]
    assert not known


def test_only_what_finds_apps_and_engines_imports_a_framework() -> None:
    importing = {
        found.module
        for found in ALL_IMPORTS
        if not found.for_types and found.target.split(".")[0] in {"flask", "quart"}
    }
    naming = {
        name_of(path)
        for path in modules()
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Constant) and node.value in {"flask", "quart"}
    }
    assert importing | naming <= {"registry", "sources", "cli"}


def test_only_the_command_line_prints_and_exits() -> None:
    """A library that prints, exits or sets logging up is in its user's way."""
    calls = {
        f"{name_of(path)}:{node.lineno} {ast.unparse(node.func)}"
        for path in modules()
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call)
        if re.fullmatch(
            r"print|exit|quit|sys\.exit|os\._exit|click\.\w+|logging\.(basicConfig"
            r"|config\..*)|.*\.(addHandler|setLevel)|sys\.(stdout|stderr)\..*",
            ast.unparse(node.func),
        )
    }
    assert not [call for call in calls if not call.startswith("cli:")]


def test_the_names_of_databases_stand_where_they_are_told_apart_only() -> None:
    named = [
        f"{name_of(path)}:{constant.lineno} {constant.value!r}"
        for path in modules()
        if not name_of(path).startswith(("dialects", "testing.servers"))
        for constant in _strings(parse(path))
        if DATABASES.search(EXAMPLE_URL.sub("", constant.value))
    ]
    assert not named


def _strings(tree: ast.Module) -> Iterator[Any]:
    """The string constants that are no docstrings."""
    docstrings = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}

    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in docstrings:
                yield node


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_file_stays_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MOST_LINES


def _installed_proxy() -> object:
    context = MigrationContext.configure(dialect_name="sqlite")

    with Operations.context(context):
        return vars(alembic.op)["_proxy"]


def _first_hook() -> object:
    config = Config()
    config.set_section_option("post_write_hooks", "hooks", "black")
    return config.get_hooks_list()[0]["_hook_name"]


def _proxied_engine() -> object:
    engine = sa.create_engine("sqlite://")
    return engine.execution_options(isolation_level="AUTOCOMMIT")._proxied


def _begun_transaction() -> object:
    engine = sa.create_engine("sqlite://", poolclass=sa.NullPool)

    with engine.connect() as connection:
        options = {"transactional_ddl": True}
        context = MigrationContext.configure(connection, opts=options)

        with context.begin_transaction():
            return context._transaction


def _extension(module: str, name: str) -> object:
    return getattr(pytest.importorskip(module).SQLAlchemy(), name)


#: What is private in other packages and used here, and where it must be found.
PRIVATE: dict[str, Callable[[], object]] = {
    # Alembic
    "_downgrade_revs": lambda: ScriptDirectory._downgrade_revs,
    "_hook_name": _first_hook,
    "_invoke": lambda: write_hooks._invoke,
    "_per_migration": lambda: _parameter(
        MigrationContext.begin_transaction, "_per_migration"
    ),
    "_proxy": _installed_proxy,
    "_rev_path": lambda: ScriptDirectory._rev_path,
    "_stamp_revs": lambda: ScriptDirectory._stamp_revs,
    "_transaction": _begun_transaction,
    "_upgrade_revs": lambda: ScriptDirectory._upgrade_revs,
    # SQLAlchemy
    "_handle_exception": lambda: (
        asyncpg.AsyncAdapt_asyncpg_connection._handle_exception
    ),
    "_invalidate_schema_cache": lambda: (
        asyncpg.PGDialect_asyncpg._invalidate_schema_cache
    ),
    "_proxied": _proxied_engine,
    # psycopg; private in name only, it is documented
    "_tx": lambda: ListDumper(list, None)._tx,
    # Flask-SQLAlchemy and Flask-SQLAlchemy-Lite
    "_app_engines": lambda: _extension("flask_sqlalchemy", "_app_engines"),
    "_app_state": lambda: _extension("flask_sqlalchemy_lite", "_app_state"),
    # Werkzeug; private in name only, it is documented
    "_get_current_object": lambda: _werkzeug_proxy()._get_current_object,
}


def _parameter(function: Callable[..., Any], name: str) -> object:
    return inspect.signature(function).parameters[name]


def _werkzeug_proxy() -> Any:
    from flask import current_app

    return current_app


def test_the_private_names_that_are_used_are_known() -> None:
    """They can go with any release, so each new one is a decision."""
    trees = {name_of(path): parse(path) for path in modules()}
    ours = {name for tree in trees.values() for name in _defined(tree)}
    # A method that takes the place of Alembic's.
    ours -= {"_rev_path"}
    used = {
        name: module
        for module, tree in trees.items()
        for name in _mentioned(tree)
        if name not in ours
    }
    assert used.keys() == PRIVATE.keys(), used


def _defined(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
                | ast.arg(arg=name)
                | ast.Name(id=name, ctx=ast.Store())
                | ast.Attribute(attr=name, value=ast.Name(id="self"), ctx=ast.Store())
            ):
                yield name


def _mentioned(tree: ast.Module) -> Iterator[str]:
    """What looks like a private name, also in a string: ``getattr(engine, "_x")``."""
    parts_of_words = {id(part) for node in ast.walk(tree) for part in _parts(node)}

    for node in ast.walk(tree):
        match node:
            case (
                ast.Attribute(attr=name)
                | ast.keyword(arg=str(name))
                | ast.FunctionDef(name=name)
                | ast.alias(name=name)
                | ast.Constant(value=str(name))
            ) if id(node) not in parts_of_words:
                if re.fullmatch(r"_[a-z]\w*", name):
                    yield name


def _parts(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.JoinedStr(values=parts):
            return parts
        case ast.Call(func=ast.Attribute(attr="endswith"), args=parts):
            return parts

    return []


@pytest.mark.parametrize("name", PRIVATE)
def test_the_private_name_is_still_there(name: str) -> None:
    assert PRIVATE[name]() is not None
