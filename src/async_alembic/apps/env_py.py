"""Finds what an ``env.py`` sets, by reading it. It is not executed."""

from __future__ import annotations

import ast
import collections.abc as c
import typing as t
from pathlib import Path

from ..errors import ConfigurationError
from .nearby import env_py_files

if t.TYPE_CHECKING:
    from .settings import Settings


class Setting(t.NamedTuple):
    """Something that an ``env.py`` sets.

    :param name: The argument of ``configure()``, or the name of a function or package.
    :param line: The line where it stands.
    :param value: The value of an argument.
    """

    name: str
    line: int
    value: ast.expr | None = None


#: Arguments of ``configure()`` that the extension sets itself, or that depend on the
#: connection only.
_OWN = {
    "connection",
    "dialect_name",
    "dialect_opts",
    "downgrade_token",
    "literal_binds",
    "output_buffer",
    "target_metadata",
    "upgrade_token",
    "url",
}
#: Values that change nothing.
_DEFAULTS = {
    ("compare_server_default", "True"),
    ("compare_type", "True"),
    ("include_schemas", "False"),
    ("render_as_batch", "False"),
    ("transaction_per_migration", "False"),
    ("version_table", "'alembic_version'"),
    ("version_table_schema", "None"),
}
#: Functions that register listeners, comparators or operations.
_REGISTERING = {
    "dispatch_for",
    "implementation_for",
    "listen",
    "listens_for",
    "register_entities",
    "register_operation",
}
#: What a hook calls that only drops empty revisions, which are not written anyway.
_CALLED_BY_EMPTYING = {"getattr", "info", "is_empty", "len", "print"}


def check_env_py(settings: Settings) -> None:
    """Check that the app's config has what an ``env.py`` sets, and that no function
    edits the config for Flask-Migrate.

    :param settings: The app's settings.
    :raises ConfigurationError: If something is missing.
    """
    if settings.ignores_env_py:
        return

    known = settings.context_options()

    for path in env_py_files(settings):
        missing = [
            f"'{setting.name}' in line {setting.line}"
            for setting in find_settings(parse(path))
            if setting.name not in known
        ]

        if missing:
            raise ConfigurationError(
                f"'{path}' is not executed, but it sets {', '.join(missing)}. Set"
                " arguments of configure() in app.config['ALEMBIC_CONTEXT'], and move"
                " other code to the app. Then delete the file, or set"
                " app.config['ALEMBIC_IGNORE_ENV_PY'] to True."
            )

    for function in settings.migrate.callbacks:
        raise ConfigurationError(
            f"{describe_function(function)} edits the config for Flask-Migrate, which"
            " is not called. Set what it sets in app.config['ALEMBIC']. Then delete it,"
            " or set app.config['ALEMBIC_IGNORE_ENV_PY'] to True."
        )


def describe_function(function: c.Callable[..., t.Any]) -> str:
    """Return the name of a function, and where it stands."""
    name = getattr(function, "__qualname__", repr(function))

    if (code := getattr(function, "__code__", None)) is None:
        return f"'{name}'"

    return f"'{name}' ('{code.co_filename}', line {code.co_firstlineno})"


def parse(path: str) -> ast.Module:
    """Return the syntax tree of an ``env.py``."""
    try:
        return ast.parse(Path(path).read_bytes())
    except (OSError, SyntaxError, ValueError):
        # It could not run with Alembic either.
        return ast.Module([], [])


def find_settings(tree: ast.Module) -> list[Setting]:
    """Return what an ``env.py`` sets beyond its template, in the order of the lines."""
    found = {(setting.name, setting.line): setting for setting in _find(tree)}
    return sorted(found.values(), key=lambda setting: setting.line)


def _find(tree: ast.Module) -> c.Iterator[Setting]:
    configure = set(_names_of_configure(tree))

    for node in ast.walk(tree):
        match node:
            case ast.Call(func=function) if ast.unparse(function) in configure:
                yield from _find_arguments(tree, node)
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)):
                if name in _REGISTERING:
                    yield Setting(name, node.lineno)
            case ast.Import() | ast.ImportFrom():
                yield from _find_plugins(node)
            case ast.Attribute(attr="naming_convention", ctx=ast.Store()):
                yield Setting("naming_convention", node.lineno)


def _names_of_configure(tree: ast.Module) -> c.Iterator[str]:
    """Yield the names of ``alembic.context.configure``."""
    yield from ("alembic.context.configure", "context.configure")

    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                name = alias.asname or alias.name

                if (node.module, alias.name) == ("alembic", "context"):
                    yield f"{name}.configure"
                elif (node.module, alias.name) == ("alembic.context", "configure"):
                    yield name


def _find_plugins(node: ast.Import | ast.ImportFrom) -> c.Iterator[Setting]:
    """Yield imports of packages that extend Alembic when they are imported."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    else:
        names = [node.module or ""] if not node.level else []

    for name in names:
        if name.startswith("alembic_") or name.endswith(".alembic_helpers"):
            yield Setting(name, node.lineno)


def _find_arguments(tree: ast.Module, call: ast.Call) -> c.Iterator[Setting]:
    for keyword in call.keywords:
        if keyword.arg is not None:
            yield from _find_argument(tree, keyword.arg, keyword.value)
        else:
            yield from _find_unpacked(tree, keyword.value)


def _find_unpacked(tree: ast.Module, value: ast.expr) -> c.Iterator[Setting]:
    """Yield the arguments in ``**value``."""
    match value:
        case ast.Dict():
            yield from _find_items(tree, value)
        case ast.Attribute(attr="configure_args"):
            # Flask-Migrate's own.
            pass
        case ast.Name(id=name):
            values = list(_values_of(tree, name))
            yield from (s for v in values for s in _find_unpacked(tree, v))
            yield from _find_assigned_items(tree, name)

            if not values:
                yield Setting(f"**{name}", value.lineno)
        case _:
            yield Setting(f"**{ast.unparse(value)}", value.lineno)


def _find_items(tree: ast.Module, value: ast.Dict) -> c.Iterator[Setting]:
    for key, item in zip(value.keys, value.values, strict=True):
        if key is None:
            yield from _find_unpacked(tree, item)
        elif isinstance(key, ast.Constant):
            yield from _find_argument(tree, str(key.value), item)
        else:
            yield Setting(ast.unparse(key), key.lineno)


def _find_assigned_items(tree: ast.Module, name: str) -> c.Iterator[Setting]:
    """Yield what ``name["key"] = value`` sets."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(
                targets=[ast.Subscript(slice=ast.Constant() as key) as item]
            ):
                if ast.unparse(item.value) == name:
                    yield from _find_argument(tree, str(key.value), node.value)


def _find_argument(tree: ast.Module, name: str, value: ast.expr) -> c.Iterator[Setting]:
    text = ast.unparse(value)
    # Advanced Alchemy's templates pass on what the app's config says.
    is_default = (name, text) in _DEFAULTS or text == f"config.{name}"

    if name not in _OWN and not is_default and not _changes_nothing(tree, value):
        yield Setting(name, value.lineno, value)


def _values_of(tree: ast.Module, name: str) -> c.Iterator[ast.expr]:
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=target)]) if target == name:
                yield node.value
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value):
                if target == name:
                    yield value


def _changes_nothing(tree: ast.Module, value: ast.expr) -> bool:
    """Whether a value is a hook of a template: a function of Flask-Migrate's that only
    empties a list of directives, or a rewriter of Advanced Alchemy's without rules.
    """
    if not isinstance(value, ast.Name):
        return False

    if "rewriter.Rewriter()" in map(ast.unparse, _values_of(tree, value.id)):
        return ".rewrites(" not in ast.unparse(tree)

    functions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == value.id
    ]
    return bool(functions) and all(map(_empties, functions))


def _empties(function: ast.FunctionDef) -> bool:
    nodes = [inner for statement in function.body for inner in ast.walk(statement)]
    emptied = [node for node in nodes if _is_emptying(node)]
    stored = [
        node
        for node in nodes
        if isinstance(node, (ast.Attribute, ast.Subscript))
        and not isinstance(node.ctx, ast.Load)
    ]
    called = {
        ast.unparse(node.func).rpartition(".")[2]
        for node in nodes
        if isinstance(node, ast.Call)
    }
    return len(emptied) == len(stored) == 1 and called <= _CALLED_BY_EMPTYING


def _is_emptying(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node) == "directives[:] = []"
