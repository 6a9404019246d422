"""The code blocks of Flask-Alembic's page on its usage."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from typing import cast

import pytest
import sqlalchemy as sa

from ..backends import Backend
from ..backends import by_id
from ..backends import EngineFactory
from ..harness import Caller
from ..harness import Framework
from ..harness import make_app

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
