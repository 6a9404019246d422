"""The layers of the package, and a walk over its imports.

``python -m tests.architecture`` prints how the package stands.
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

#: From the top to the bottom, as CONTRIBUTING shows them. What is in one layer imports
#: what stands below it, never what stands above.
LAYERS = {
    "testing": "The pytest plugin, copies of databases, ready-made migration tests.",
    "extension": "The public classes, `Alembic` and `SyncAlembic`; `op` and `context`.",
    "cli": "The `db` group: one file for each family of commands. Prints; no logic.",
    "running": "From a call to open connections: threads, greenlets, loops, signals.",
    "commands": "What each command means: functions that take open databases.",
    "migration": "One migration: steps, transactions, lock, half-applied revisions.",
    "apps": "What one app says: its settings, engines and metadata; the current app.",
    "history": "The revision files: listing, reading, writing, their graph, targets.",
    "dialects": "All that differs by database and driver.",
    "errors": "What goes wrong, as sentences that carry data.",
    "results": "What methods return.",
}
MOST_LINES = 400


@dataclass(frozen=True)
class Import:
    """One import in a module of the package.

    :param target: What is imported, from the root: ``alembic.config.Config``, and
        ``.apps.registry`` for what is ours.
    """

    module: str
    line: int
    target: str
    for_types: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"

    @property
    def layer(self) -> str:
        """The layer that imports; empty for the package itself."""
        return self.module.split(".")[0]

    @property
    def imported_layer(self) -> str | None:
        """The layer that is imported; none if it is not ours."""
        return self.target[1:].split(".")[0] if self.target.startswith(".") else None

    @property
    def points_up(self) -> bool:
        order = [*LAYERS]
        above, below = self.layer, self.imported_layer

        if not above or not below or above == below:
            return False

        return order.index(below) < order.index(above)


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def name_of(path: Path) -> str:
    """``commands.migrate`` for a file, ``commands`` for its ``__init__``."""
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


def graph() -> dict[str, set[str]]:
    """The modules that each module imports, also for types or inside a function."""
    names = {name_of(path) for path in modules()}
    edges: dict[str, set[str]] = {name: set() for name in names}

    for found in ALL_IMPORTS:
        if found.imported_layer:
            target = found.target[1:]
            # A name of a module, or a module itself.
            imported = target if target in names else target.rpartition(".")[0]
            edges[found.module].add(imported)

    return edges


def circle() -> list[str]:
    """Modules that import each other in a circle; none if there is no circle."""
    try:
        graphlib.TopologicalSorter(graph()).prepare()
    except graphlib.CycleError as e:
        return list(e.args[1])

    return []


def floors() -> int:
    """How many layers the longest chain of imports has."""
    edges: dict[str, set[str]] = {layer: set() for layer in LAYERS}

    for found in ALL_IMPORTS:
        if found.layer and found.imported_layer and not found.points_up:
            edges[found.layer].add(found.imported_layer)

    heights: dict[str, int] = {}

    for layer in reversed(LAYERS):
        below = edges[layer] - {layer}
        heights[layer] = 1 + max((heights[name] for name in below), default=0)

    return max(heights.values())


def report() -> Iterator[str]:
    lengths = {path: len(path.read_text().splitlines()) for path in modules()}
    longest = max(lengths, key=lambda path: lengths[path])
    entries = {path.name for path in SOURCE.iterdir()} - {"__pycache__", "py.typed"}
    upward = [found for found in ALL_IMPORTS if found.points_up]
    yield f"entries in the root: {len(entries)}"
    yield f"modules: {len(lengths)}, lines: {sum(lengths.values())}"
    yield f"longest file: {name_of(longest)}, {lengths[longest]} lines"
    yield f"floors: {floors()}"
    yield f"imports that point up: {', '.join(map(str, upward)) or 'none'}"
    yield f"circles: {' -> '.join(circle()) or 'none'}"


if __name__ == "__main__":
    print("\n".join(report()))
