"""Checks of the files alone."""

from __future__ import annotations

import ast
import collections.abc as c
import difflib
import typing as t
from pathlib import Path

from .failures import CheckFailedError

if t.TYPE_CHECKING:
    from alembic.script import Script

    from ...history.scripts import Scripts


def has_one_head(scripts: Scripts) -> None:
    """:raises CheckFailedError: If there are several heads."""
    heads = scripts.get_revisions(scripts.get_heads())

    if len(heads) > 1:
        raise CheckFailedError(
            f"There are {len(heads)} heads. Join them with 'db merge', or let one"
            " follow the other.",
            (f"{head.revision} {head.path}" for head in heads),
        )


def can_be_read(scripts: Scripts) -> None:
    """:raises CheckFailedError: If a file lacks ``upgrade()`` or ``downgrade()``."""
    lines = []

    for script in scripts.walk_revisions():
        for name in "upgrade", "downgrade":
            if not callable(getattr(script.module, name, None)):
                lines.append(f"{script.path}: no '{name}()'")

    if lines:
        raise CheckFailedError(
            "Revisions need a function for each direction. Add what is missing.", lines
        )


def is_as_released(scripts: Scripts, released: c.Mapping[str, Path], ref: str) -> None:
    """Compare revisions with what they were: but for comments, docstrings and how they
    are formatted, no database that was migrated would notice a change.

    :param scripts: The files.
    :param released: The files of then, by the ids of their revisions.
    :param ref: What to call that.
    :raises CheckFailedError: If one was edited or removed.
    """
    by_id: dict[str, Script] = {s.revision: s for s in scripts.walk_revisions()}

    for revision, path in released.items():
        if revision not in by_id:
            raise CheckFailedError(
                f"Revision {revision} of '{ref}' is gone. Put it back: databases that"
                " are at it could not go on."
            )

        before, after = path.read_text(), Path(by_id[revision].path).read_text()

        if _code(before) != _code(after):
            raise CheckFailedError(
                f"Revision {revision} was edited since '{ref}'. Put it back, and write"
                " a new one: databases that have it will not get the change.",
                difflib.unified_diff(
                    before.splitlines(),
                    after.splitlines(),
                    f"{ref}:{path.name}",
                    by_id[revision].path,
                    lineterm="",
                ),
            )


def _code(text: str) -> str:
    tree = ast.parse(text)

    for node in ast.walk(tree):
        body = getattr(node, "body", None)

        if isinstance(body, list):
            node.body = [item for item in body if not _is_text(item)]  # type: ignore[attr-defined]

    return ast.dump(tree)


def _is_text(node: ast.AST) -> bool:
    """Whether it is a docstring, or a text that nothing is done with."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
