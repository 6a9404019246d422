"""Carries values over from an ``env.py``, with the code that they need. Nothing here is
executed.
"""

from __future__ import annotations

import ast
import builtins
import collections.abc as c
import symtable

_BUILTINS = {name for name in dir(builtins) if not name.startswith("_")}
#: Objects that exist only while Alembic runs ``env.py``, or in an app's context.
_BOUND_TO_RUN = {("alembic", "context"), ("flask", "current_app")}
#: Methods whose result may be used, although they change the object.
_CHANGING = {"pop", "popitem", "setdefault", "__setitem__"}


class NotCarriedError(Exception):
    """A value needs something that cannot be carried over."""


class EnvCode:
    """The code of an ``env.py``.

    :param text: The content of the file.
    :param tree: Its syntax tree.
    """

    def __init__(self, text: str, tree: ast.Module) -> None:
        self._lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._tree = tree
        #: The statements that are carried over, with their lines.
        self._carried: set[tuple[int, str]] = set()

    @property
    def source(self) -> str:
        """The code of what is carried over, in the order of the lines."""
        carried = [text for _, text in sorted(self._carried)]
        imports = [text for text in carried if text.startswith(("import ", "from "))]
        others = [text for text in carried if text not in imports]
        return "\n\n\n".join(filter(None, ["\n".join(dict.fromkeys(imports)), *others]))

    def carry(self, value: ast.expr) -> str:
        """Carry a value over, with all that it needs.

        :return: The code of the value.
        :raises NotCarriedError: If that is not possible. Nothing is carried then.
        """
        found: set[tuple[int, str]] = set()

        for name in _free_names(value):
            self._collect(name, found, set())

        self._carried |= found
        return ast.unparse(value)

    def carry_import(self, line: int) -> None:
        """Carry the import in a line over.

        :raises NotCarriedError: If there is none.
        """
        for node in self._tree.body:
            if isinstance(node, (ast.Import, ast.ImportFrom)) and node.lineno == line:
                self._carried.add((line, ast.unparse(node)))
                return

        raise NotCarriedError

    def _collect(self, name: str, found: set[tuple[int, str]], seen: set[str]) -> None:
        if name in seen or (name in _BUILTINS and not self._binds(name)):
            return

        seen.add(name)
        node, text = self._definition(name)
        found.add((node.lineno, text))

        if not isinstance(node, (ast.Import, ast.ImportFrom)):
            for needed in _free_names(node) - {name}:
                self._collect(needed, found, seen)

    def _definition(self, name: str) -> tuple[ast.stmt, str]:
        """Return the only statement that defines a name, and its code."""
        found = [node for node in ast.walk(self._tree) if name in _defined(node)]

        if len(found) != 1:
            raise NotCarriedError

        node = found[0]

        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return node, self._text_of(node)

        if node not in self._tree.body or self._is_changed(name):
            raise NotCarriedError

        if isinstance(node, (ast.Import, ast.ImportFrom)):
            return node, _import_of(name, node)

        if not isinstance(node, (ast.Assign, ast.AnnAssign, ast.ClassDef)):
            raise NotCarriedError

        return node, self._text_of(node)

    def _text_of(self, node: ast.stmt) -> str:
        if node.col_offset:
            return ast.unparse(node)

        decorators: list[ast.expr] = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(d.lineno for d in decorators)])
        return "\n".join(self._lines[first - 1 : node.end_lineno])

    def _binds(self, name: str) -> bool:
        """Whether the file gives a name another meaning somewhere."""
        return any(
            name in _defined(node) or (isinstance(node, ast.arg) and node.arg == name)
            for node in ast.walk(self._tree)
        )

    def _is_changed(self, name: str) -> bool:
        """Whether an object may not be what its definition says."""
        return any(name in _changed(node) for node in ast.walk(self._tree))


def _changed(node: ast.AST) -> set[str]:
    """Return the names of the objects that a piece of code may change."""
    match node:
        case ast.Expr(value=ast.Call(func=function)) if _is_configure(function):
            parts = [function]
        case ast.Expr():
            # Its result is not used, so that it does something else.
            parts = [node.value]
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            parts = [*node.decorator_list]
        case ast.Subscript(ctx=ast.Load()) | ast.Attribute(ctx=ast.Load()):
            return set()
        case ast.Subscript() | ast.Attribute():
            parts = [node.value]
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)):
            return {name} if method in _CHANGING else set()
        case _:
            return set()

    names = (inner for part in parts for inner in ast.walk(part))
    return {inner.id for inner in names if isinstance(inner, ast.Name)}


def _is_configure(function: ast.expr) -> bool:
    return ast.unparse(function).rpartition(".")[2] == "configure"


def _defined(node: ast.AST) -> set[str]:
    """Return the names that a statement defines."""
    match node:
        case ast.Import() | ast.ImportFrom():
            return {
                alias.asname or alias.name.partition(".")[0] for alias in node.names
            }
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return {node.name}
        case ast.Assign():
            targets = node.targets
        case ast.AnnAssign() | ast.AugAssign() | ast.For() | ast.NamedExpr():
            targets = [node.target]
        case ast.withitem(optional_vars=ast.expr() as target):
            targets = [target]
        case ast.Global():
            return {*node.names}
        case _:
            return set()

    names = (inner for target in targets for inner in ast.walk(target))
    return {
        n.id for n in names if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }


def _import_of(name: str, node: ast.Import | ast.ImportFrom) -> str:
    """Return the import of one name."""
    alias = next(a for a in node.names if name in _defined(ast.Import([a])))

    if isinstance(node, ast.Import):
        return ast.unparse(ast.Import([alias]))

    if node.level or (node.module, alias.name) in _BOUND_TO_RUN:
        raise NotCarriedError

    return ast.unparse(ast.ImportFrom(node.module, [alias], 0))


def _free_names(node: ast.AST) -> set[str]:
    """Return the names that code needs from outside."""
    table = symtable.symtable(ast.unparse(node), "env.py", "exec")
    used = {s.get_name() for s in table.get_symbols() if s.is_referenced()}
    own = {s.get_name() for s in table.get_symbols() if s.is_assigned()}
    inner = {name for child in table.get_children() for name in _globals_of(child)}
    return used - own | inner


def _globals_of(table: symtable.SymbolTable) -> c.Iterator[str]:
    yield from (s.get_name() for s in table.get_symbols() if s.is_global())

    for child in table.get_children():
        yield from _globals_of(child)
