"""The rules of CONTRIBUTING for the source: which modules may import which, and which
private names of other packages they may use.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from typing import cast

import aiosqlite
import alembic.op
import pymysql
import pytest
import sqlalchemy as sa
from alembic.autogenerate import render
from alembic.config import Config
from alembic.ddl.impl import DefaultImpl
from alembic.operations import Operations
from alembic.operations.batch import ApplyBatchImpl
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script import write_hooks
from psycopg.types.array import ListDumper
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2
from sqlalchemy.engine.default import DefaultExecutionContext

from .architecture import ALL_IMPORTS
from .architecture import import_cycle
from .architecture import LAYERS
from .architecture import MAX_LINES
from .architecture import module_name
from .architecture import module_paths
from .architecture import parse
from .architecture import SOURCE

DATABASES = re.compile(
    r"\b(sqlite3?|aiosqlite|postgres(ql)?|asyncpg|psycopg2?|mysql|mariadb|pymysql"
    r"|asyncmy|aiomysql|oracle|mssql)\b",
    re.IGNORECASE,
)
#: An example URL in an error message may name a database system.
EXAMPLE_URL = re.compile(r"'[a-z+]+://[a-z@/]+'")


def test_every_module_has_its_place_in_the_layers() -> None:
    # The package itself has the public names and no layer.
    assert {module_name(path).split(".")[0] for path in module_paths()} == {"", *LAYERS}


def test_imports_point_downwards() -> None:
    assert not [str(found) for found in ALL_IMPORTS if found.points_up]


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert not import_cycle()


def test_contributing_shows_the_layers_that_are_kept() -> None:
    text = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| `(\w+)/?(?:\.py)?` \| (.+) \|$", text, re.MULTILINE)
    assert rows == [*LAYERS.items()]


def test_contributing_names_rooms_that_are_there() -> None:
    """The table of changes names existing files and folders."""
    text = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()
    places = re.findall(r"\| `([\w/]+(?:\.py|/))` \|$", text, re.MULTILINE)
    assert len(places) >= 10
    assert not [place for place in places if not (SOURCE / place).exists()]


@pytest.mark.parametrize(
    ("part", "unknown"),
    [
        # Event loops, engines, frameworks, and how commands run.
        (
            part,
            {
                *("asyncio", "anyio", "concurrent"),
                *("flask", "quart", "click", "sqlalchemy.ext.asyncio"),
                *("sqlalchemy.Engine", "sqlalchemy.create_engine"),
                *(".apps.registry", ".apps.current", ".apps.databases"),
            },
        )
        for part in ("commands", "migration", "autogenerate", "history", "dialects")
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
        module_name(path)
        for path in module_paths()
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Constant) and node.value in {"flask", "quart"}
    }
    layers = {module.split(".")[0] for module in importing | naming}
    assert layers <= {"apps", "extension", "cli"}


def test_only_the_command_line_prints_and_exits() -> None:
    """A library must not print, exit or configure logging."""
    calls = {
        f"{module_name(path)}:{node.lineno} {ast.unparse(node.func)}"
        for path in module_paths()
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
        f"{module_name(path)}:{constant.lineno} {constant.value!r}"
        for path in module_paths()
        if not module_name(path).startswith(("dialects", "testing"))
        for constant in _strings(parse(path))
        if DATABASES.search(EXAMPLE_URL.sub("", constant.value))
    ]
    assert not named


def _strings(tree: ast.Module) -> Iterator[Any]:
    """Yield the string constants, without docstrings."""
    docstrings = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}

    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in docstrings:
                yield node


@pytest.mark.parametrize("path", module_paths(), ids=module_name)
def test_a_file_stays_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES


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


def _connection_of(driver: str) -> Any:
    return importlib.import_module(f"{driver}.connection").Connection


#: The private names of other packages that are used here, and where to find them.
PRIVATE: dict[str, Callable[[], object]] = {
    # Alembic
    "_alembic_tmp_": lambda: re.match(
        "_alembic_tmp_", ApplyBatchImpl._calc_temp_name("x")
    ),
    "_ddl_runner": lambda: (
        "_ddl_runner" in inspect.getsource(DefaultImpl.drop_table) or None
    ),
    "_downgrade_revs": lambda: ScriptDirectory._downgrade_revs,
    # In SQLAlchemy 2.0, its default is wrong for servers since PostgreSQL 9.1.
    "_backslash_escapes": lambda: PGDialect_psycopg2._backslash_escapes,
    "_exec": lambda: "self._exec(" in inspect.getsource(DefaultImpl.execute) or None,
    "_hook_name": _first_hook,
    "_invoke": lambda: write_hooks._invoke,
    "_per_migration": lambda: _parameter(
        MigrationContext.begin_transaction, "_per_migration"
    ),
    "_proxy": _installed_proxy,
    "_render_server_default": lambda: render._render_server_default,
    "_repr_type": lambda: render._repr_type,
    "_rev_path": lambda: ScriptDirectory._rev_path,
    "_stamp_revs": lambda: ScriptDirectory._stamp_revs,
    "_transaction": _begun_transaction,
    "_upgrade_revs": lambda: ScriptDirectory._upgrade_revs,
    # SQLAlchemy
    "_create_rule": lambda: _check_of_boolean()._create_rule,
    "_double_percents": lambda: (
        cast("Any", PGDialect_psycopg2)().identifier_preparer._double_percents or None
    ),
    "_strings": lambda: (
        "_strings" in vars(cast("Any", PGDialect_psycopg2)().identifier_preparer)
        or None
    ),
    "_variant_mapping": lambda: sa.String()._variant_mapping,
    "_rowcount": lambda: "_rowcount" in vars(DefaultExecutionContext) or None,
    "_handle_exception": lambda: (
        asyncpg.AsyncAdapt_asyncpg_connection._handle_exception
    ),
    "_invalidate_schema_cache": lambda: (
        asyncpg.PGDialect_asyncpg._invalidate_schema_cache
    ),
    "_connection_record": lambda: (
        "_connection_record" in inspect.getsource(sa.pool.base._ConnectionFairy) or None
    ),
    "_creator": lambda: sa.NullPool(lambda: None)._creator,  # type: ignore[arg-type]
    "_dispatch": lambda: _parameter(sa.Pool.__init__, "_dispatch"),
    "_invoke_creator": lambda: sa.NullPool(lambda: None)._invoke_creator,  # type: ignore[arg-type]
    "_invalidate": lambda: sa.Pool._invalidate,
    "_proxied": _proxied_engine,
    # aiosqlite
    "_conn": lambda: aiosqlite.Connection._conn,
    # psycopg; documented, despite its name
    "_tx": lambda: ListDumper(list, None)._tx,
    # PyMySQL
    "_sock": lambda: hasattr(pymysql.Connection, "_sock") or None,
    "_result": lambda: "_result" in inspect.getsource(pymysql.Connection) or None,
    # aiomysql and asyncmy
    "_execute_command": lambda: (
        _connection_of("aiomysql")._execute_command,
        _connection_of("asyncmy")._execute_command,
    ),
    "_read_packet": lambda: _connection_of("aiomysql")._read_packet,
    # Flask-SQLAlchemy and Flask-SQLAlchemy-Lite
    "_app_engines": lambda: _extension("flask_sqlalchemy", "_app_engines"),
    "_app_state": lambda: _extension("flask_sqlalchemy_lite", "_app_state"),
    # Werkzeug; documented, despite its name
    "_get_current_object": lambda: _werkzeug_proxy()._get_current_object,
}


def _check_of_boolean() -> Any:
    type_ = sa.Boolean(create_constraint=True, name="b")
    constraints = sa.Table("t", sa.MetaData(), sa.Column("b", type_)).constraints
    return next(c for c in constraints if isinstance(c, sa.CheckConstraint))


def _parameter(function: Callable[..., Any], name: str) -> object:
    return inspect.signature(function).parameters[name]


def _werkzeug_proxy() -> Any:
    from flask import current_app

    return current_app


def test_the_private_names_that_are_used_are_known() -> None:
    """Any release may remove them, so each new one is a decision."""
    trees = {module_name(path): parse(path) for path in module_paths()}
    ours = {name for tree in trees.values() for name in _defined(tree)}
    # Defined here as an override of Alembic's method.
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
    """Yield private names, including strings as in ``getattr(engine, "_x")``."""
    string_parts = {id(part) for node in ast.walk(tree) for part in _string_parts(node)}

    for node in ast.walk(tree):
        match node:
            case (
                ast.Attribute(attr=name)
                | ast.keyword(arg=str(name))
                | ast.FunctionDef(name=name)
                | ast.alias(name=name)
                | ast.Constant(value=str(name))
            ) if id(node) not in string_parts:
                if re.fullmatch(r"_[a-z]\w*", name):
                    yield name


def _string_parts(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.JoinedStr(values=parts):
            return parts
        case ast.Call(func=ast.Attribute(attr="endswith"), args=parts):
            return parts

    return []


@pytest.mark.parametrize("name", PRIVATE)
def test_the_private_name_is_still_there(name: str) -> None:
    assert PRIVATE[name]() is not None
