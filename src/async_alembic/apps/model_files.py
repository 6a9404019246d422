"""Files of an app that define tables, and that nothing has imported: their tables are
missing in the metadata.
"""

from __future__ import annotations

import ast
import collections.abc as c
import itertools
import os
import sys
import tokenize
import typing as t

#: How many files are read at most.
_MOST_FILES = 2_000
_NEVER = {"__pycache__", "node_modules", "site-packages"}


class ModelFile(t.NamedTuple):
    """A file that defines tables.

    :param path: Its path, relative to the app's root folder.
    :param tables: The names of the tables, as far as they are literals.
    """

    path: str
    tables: tuple[str, ...]


def find_unimported(
    root_path: str, skip_folders: c.Collection[str] = ()
) -> list[ModelFile]:
    """Return the files with tables that nothing has imported, sorted by their path.

    :param root_path: The app's root folder.
    :param skip_folders: Folders in it that have no models, as those of the revisions.
    """
    loaded = {
        os.path.realpath(path)
        for module in [*sys.modules.values()]
        if (path := getattr(module, "__file__", None))
    }
    paths = itertools.islice(_python_files(root_path, {*skip_folders}), _MOST_FILES)
    found: list[ModelFile] = []

    for path in paths:
        if os.path.realpath(path) not in loaded:
            tables = [*_tables(path)]

            if tables:
                name = os.path.relpath(path, root_path)
                found.append(ModelFile(name, tuple(filter(None, tables))))

    return sorted(found)


def _python_files(root_path: str, skip_folders: set[str]) -> c.Iterator[str]:
    for folder, folders, names in os.walk(root_path):
        folders[:] = [
            name
            for name in sorted(folders)
            if name not in _NEVER
            and not name.startswith(".")
            and os.path.join(folder, name) not in skip_folders
            # A virtual environment.
            and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
        ]
        yield from (os.path.join(folder, name) for name in names if name[-3:] == ".py")


def _tables(path: str) -> c.Iterator[str | None]:
    """Yield the names of the tables that a file defines; ``None`` for one that is not
    written there.
    """
    try:
        with tokenize.open(path) as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return

    for node in ast.walk(tree):
        match node:
            case ast.ClassDef():
                yield from _table_of_class(node)
            case ast.Call(
                func=ast.Name(id="Table") | ast.Attribute(attr="Table"),
                args=[ast.Constant(value=str(name)), _, *_],
            ):
                yield name


def _table_of_class(node: ast.ClassDef) -> c.Iterator[str | None]:
    for statement in node.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id="__tablename__")], value=value)
                | ast.AnnAssign(target=ast.Name(id="__tablename__"), value=value)
            ):
                name = getattr(value, "value", None)
                yield name if isinstance(name, str) else None
                return

    # SQLModel and Flask-SQLAlchemy name the table after the class.
    if any(
        isinstance(base, ast.Attribute) and base.attr == "Model" for base in node.bases
    ) or any(
        keyword.arg == "table" and getattr(keyword.value, "value", None) is True
        for keyword in node.keywords
    ):
        yield None
