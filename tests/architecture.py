"""The layers of the package and its imports.

``python -m tests.architecture`` prints a summary.
"""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import async_alembic

SOURCE = Path(async_alembic.__file__).parent

#: From top to bottom, as in CONTRIBUTING. A layer may import the layers below it, never
#: those above it.
LAYERS = {
    "testing": "The pytest plugin, copies of databases, ready-made migration tests.",
    "extension": "The public classes, `Alembic` and `SyncAlembic`; `op` and `context`.",
    "cli": "The `db` group: one file for each family of commands. Prints; no logic.",
    "running": "From a call to open connections: threads, greenlets, loops, signals.",
    "commands": "What each command means: functions that take open databases.",
    "migration": "One migration: steps, transactions, lock, half-applied revisions.",
    "autogenerate": "Comparing models with databases, and what is written of it.",
    "apps": "What one app says: its settings, engines and metadata; the current app.",
    "history": "The revision files: listing, reading, writing, their graph, targets.",
    "dialects": "All that differs by database and driver.",
    "errors": "What goes wrong, as sentences that carry data.",
    "signals": "What is sent while databases migrate.",
    "plans": "What `plan()` returns.",
    "results": "What other methods return.",
}
MAX_LINES = 400


@dataclass(frozen=True)
class Import:
    """An import in a module of the package.

    :param module: The importing module.
    :param line: Its line number.
    :param target: The imported name, such as ``alembic.config.Config``, or
        ``.apps.registry`` for a name of this package.
    :param for_types: Whether it is only imported for type checking.
    """

    module: str
    line: int
    target: str
    for_types: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"

    @property
    def layer(self) -> str:
        """The importing layer; empty for the package itself."""
        return self.module.split(".")[0]

    @property
    def imported_layer(self) -> str | None:
        """The imported layer; ``None`` for another package."""
        return self.target[1:].split(".")[0] if self.target.startswith(".") else None

    @property
    def points_up(self) -> bool:
        order = [*LAYERS]
        importing, imported = self.layer, self.imported_layer

        if not importing or not imported or importing == imported:
            return False

        return order.index(imported) < order.index(importing)


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def module_paths() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def module_name(path: Path) -> str:
    """Return ``commands.migrate`` for a file, ``commands`` for ``__init__.py``."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


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
                module_name(path),
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


ALL_IMPORTS = [import_ for path in module_paths() for import_ in imports(path)]


def import_graph() -> dict[str, set[str]]:
    """Return what each module imports, including for types and in functions."""
    names = {module_name(path) for path in module_paths()}
    edges: dict[str, set[str]] = {name: set() for name in names}

    for import_ in ALL_IMPORTS:
        if import_.imported_layer:
            target = import_.target[1:]
            # Either a module, or a name in a module.
            imported = target if target in names else target.rpartition(".")[0]
            edges[import_.module].add(imported)

    return edges


def import_cycle() -> list[str]:
    """Return the modules of an import cycle; empty if there is none."""
    try:
        graphlib.TopologicalSorter(import_graph()).prepare()
    except graphlib.CycleError as e:
        return list(e.args[1])

    return []


def depth() -> int:
    """Return how many layers the longest chain of imports has."""
    edges: dict[str, set[str]] = {layer: set() for layer in LAYERS}

    for import_ in ALL_IMPORTS:
        if import_.layer and import_.imported_layer and not import_.points_up:
            edges[import_.layer].add(import_.imported_layer)

    heights: dict[str, int] = {}

    for layer in reversed(LAYERS):
        below = edges[layer] - {layer}
        heights[layer] = 1 + max((heights[name] for name in below), default=0)

    return max(heights.values())


def report() -> Iterator[str]:
    lengths = {path: len(path.read_text().splitlines()) for path in module_paths()}
    longest = max(lengths, key=lambda path: lengths[path])
    entries = {path.name for path in SOURCE.iterdir()} - {"__pycache__", "py.typed"}
    upward = [import_ for import_ in ALL_IMPORTS if import_.points_up]
    yield f"entries in the root: {len(entries)}"
    yield f"modules: {len(lengths)}, lines: {sum(lengths.values())}"
    yield f"longest file: {module_name(longest)}, {lengths[longest]} lines"
    yield f"depth of the layers: {depth()}"
    yield f"upward imports: {', '.join(map(str, upward)) or 'none'}"
    yield f"import cycles: {' -> '.join(import_cycle()) or 'none'}"


if __name__ == "__main__":
    print("\n".join(report()))
