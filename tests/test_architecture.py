"""The layers that CONTRIBUTING describes, kept by a walk over the source: what a module
may import, what it may know, and what it uses that is private.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from collections.abc import Iterator
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

from .architecture import ALL_IMPORTS
from .architecture import circle
from .architecture import LAYERS
from .architecture import modules
from .architecture import MOST_LINES
from .architecture import name_of
from .architecture import parse
from .architecture import SOURCE

DATABASES = re.compile(
    r"\b(sqlite3?|aiosqlite|postgres(ql)?|asyncpg|psycopg2?|mysql|mariadb|pymysql"
    r"|asyncmy|aiomysql|oracle|mssql)\b",
    re.IGNORECASE,
)
#: A URL that is shown as an example names a database, and knows none.
EXAMPLE_URL = re.compile(r"'[a-z+]+://[a-z@/]+'")


def test_every_module_has_its_place_in_the_layers() -> None:
    # What is public is beside the layers.
    assert {name_of(path).split(".")[0] for path in modules()} == {"", *LAYERS}


def test_imports_point_downwards() -> None:
    assert not [str(found) for found in ALL_IMPORTS if found.points_up]


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert not circle()


def test_contributing_shows_the_layers_that_are_kept() -> None:
    text = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| `(\w+)/?(?:\.py)?` \| (.+) \|$", text, re.MULTILINE)
    assert rows == [*LAYERS.items()]


def test_contributing_names_rooms_that_are_there() -> None:
    """Each change that it describes begins in one file or folder."""
    text = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()
    places = re.findall(r"\| `([\w/]+(?:\.py|/))` \|$", text, re.MULTILINE)
    assert len(places) >= 10
    assert not [place for place in places if not (SOURCE / place).exists()]


@pytest.mark.parametrize(
    ("part", "unknown"),
    [
        # Loops, engines, frameworks, and how a command is run.
        (
            part,
            {
                *("asyncio", "anyio", "concurrent"),
                *("flask", "quart", "click", "sqlalchemy.ext.asyncio"),
                *("sqlalchemy.Engine", "sqlalchemy.create_engine"),
                *(".apps.registry", ".apps.current", ".apps.databases"),
            },
        )
        for part in ("commands", "migration", "history", "dialects")
    ]
    + [
        ("running", {"alembic", "flask", "quart", "click", ".history"}),
        ("history", {"sqlalchemy", ".apps"}),
        ("history.targets", {"os", "pathlib", "alembic"}),
        ("results", {"alembic", "sqlalchemy", "flask", "quart", "click"}),
        ("commands", {"threading", "contextvars"}),
        ("dialects", {"threading", "contextvars"}),
        ("apps", {"flask", "quart", "click", "anyio"}),
        ("cli", {"alembic", "asyncio", "anyio", "sqlalchemy", ".extension"}),
        ("testing.plugin", {"alembic", "sqlalchemy", "asyncio", "flask", "quart"}),
        (
            "testing.checks",
            {"asyncio", "anyio", "threading", "pytest", "flask", "quart", ".running"},
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
                ".apps.registry",
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
    layers = {module.split(".")[0] for module in importing | naming}
    assert layers <= {"apps", "extension", "cli"}


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
    assert not [call for call in calls if not call.startswith("cli.")]


def test_the_names_of_databases_stand_where_they_are_told_apart_only() -> None:
    named = [
        f"{name_of(path)}:{constant.lineno} {constant.value!r}"
        for path in modules()
        if not name_of(path).startswith(("dialects", "testing"))
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
