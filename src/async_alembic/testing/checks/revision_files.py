"""Checks of the revision files, without a database."""

from __future__ import annotations

import ast
import collections.abc as c
import difflib
import tokenize
import typing as t
from pathlib import Path

from .results import all_failures
from .results import CheckFailedError

if t.TYPE_CHECKING:
    from ...history.scripts import Scripts


def check_one_head(scripts: Scripts) -> None:
    """:raises CheckFailedError: If there are several heads."""
    heads = scripts.get_revisions(scripts.get_heads())

    if len(heads) > 1:
        raise CheckFailedError(
            f"There are {len(heads)} heads. Merge them with 'db merge', or make one"
            " the 'down_revision' of the other.",
            (f"{head.revision} {head.path}" for head in heads),
        )


def check_functions(scripts: Scripts) -> None:
    """:raises CheckFailedError: If a file lacks ``upgrade()`` or ``downgrade()``."""
    lines = []

    for script in scripts.walk_revisions():
        for name in "upgrade", "downgrade":
            if not callable(getattr(script.module, name, None)):
                lines.append(f"{script.path}: no '{name}()'")

    if lines:
        raise CheckFailedError(
            "Revisions lack 'upgrade()' or 'downgrade()'. Add these functions.", lines
        )


def check_unchanged_since_release(
    scripts: Scripts, released: c.Mapping[str, Path], ref: str
) -> None:
    """Compare released revisions with their current files. Comments, docstrings and
    formatting may differ.

    :param scripts: The current files.
    :param released: The released files by revision id.
    :param ref: The name of the release, for error messages.
    :raises CheckFailedError: If a revision was edited or removed.
    """
    current = {s.revision: Path(s.path) for s in scripts.walk_revisions()}
    failures = [
        failure
        for revision, path in released.items()
        if (failure := _find_edit(revision, path, current.get(revision), ref))
    ]

    if failures:
        raise all_failures(failures)


def _find_edit(
    revision: str, released: Path, current: Path | None, ref: str
) -> CheckFailedError | None:
    if current is None:
        return CheckFailedError(
            f"Revision {revision} of '{ref}' was removed. Databases at this revision"
            " can no longer be upgraded. Restore its file."
        )

    before, after = _read(released), _read(current)

    if _without_docstrings(before) == _without_docstrings(after):
        return None

    return CheckFailedError(
        f"Revision {revision} was edited since '{ref}'. Databases that are already"
        " upgraded do not get the change. Restore its file and write a new revision.",
        difflib.unified_diff(
            before.splitlines(),
            after.splitlines(),
            f"{ref}:{released.name}",
            str(current),
            lineterm="",
        ),
    )


def _read(path: Path) -> str:
    with tokenize.open(path) as file:
        return file.read()


def _without_docstrings(text: str) -> str:
    tree = ast.parse(text)

    for node in ast.walk(tree):
        body = getattr(node, "body", None)

        if isinstance(body, list):
            node.body = [item for item in body if not _is_docstring(item)]  # type: ignore[attr-defined]

    return ast.dump(tree)


def _is_docstring(node: ast.AST) -> bool:
    """Whether a node is a docstring or another string that is a statement."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
