"""Checks of the revision files, without a database."""

from __future__ import annotations

import ast
import collections.abc as c
import difflib
import typing as t
from pathlib import Path

from .results import CheckFailedError

if t.TYPE_CHECKING:
    from alembic.script import Script

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
    by_id: dict[str, Script] = {s.revision: s for s in scripts.walk_revisions()}

    for revision, path in released.items():
        if revision not in by_id:
            raise CheckFailedError(
                f"Revision {revision} of '{ref}' was removed. Databases at this"
                " revision can no longer be upgraded. Restore its file."
            )

        before, after = path.read_text(), Path(by_id[revision].path).read_text()

        if _without_docstrings(before) != _without_docstrings(after):
            raise CheckFailedError(
                f"Revision {revision} was edited since '{ref}'. Databases that are"
                " already upgraded do not get the change. Restore its file and write a"
                " new revision.",
                difflib.unified_diff(
                    before.splitlines(),
                    after.splitlines(),
                    f"{ref}:{path.name}",
                    by_id[revision].path,
                    lineterm="",
                ),
            )


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
