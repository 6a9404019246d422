"""Gives a revision file other parents. The rest of it stays as it is, byte for byte."""

from __future__ import annotations

import ast
import collections.abc as c
import io
import re
import tokenize
import typing as t

from ..errors import RevisionFileError
from .graph import line_of
from .headers import as_tuple
from .headers import read_header

_line = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")


class _Span(t.NamedTuple):
    """A part of a text: where it begins and ends."""

    begin: int
    end: int


def with_parents(path: str, source: bytes, parents: c.Sequence[str]) -> bytes:
    """Return the content of a revision file, with other parents.

    :param path: The path of the file.
    :param source: The content of the file.
    :param parents: The ids of the parents.
    :raises RevisionFileError: If ``down_revision`` is computed.
    """
    encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    text = source.decode(encoding)
    tree = ast.parse(source, path)
    header = read_header(source, path)
    values = _values_of(tree, "down_revision")

    if header is None or len(values) != 1:
        raise _not_literal(path, parents)

    places = _Places(text)
    span = places.span(values[0])
    quote = "'" if text[span.begin : span.end].strip("([").startswith("'") else '"'
    changes = {span: _literal(parents, quote)}

    if (doc := _docstring(tree)) is not None:
        before = ", ".join(as_tuple(header.down_revision))
        changes |= _revises(text, places.span(doc), before, ", ".join(parents))

    for (begin, end), new in sorted(changes.items(), reverse=True):
        text = text[:begin] + new + text[end:]

    changed = text.encode(encoding)
    found = read_header(changed, path)

    if found is None or as_tuple(found.down_revision) != tuple(parents):
        raise _not_literal(path, parents)

    return changed


def _not_literal(path: str, parents: c.Sequence[str]) -> RevisionFileError:
    return RevisionFileError(
        path,
        line_of(path, "down_revision"),
        "its parents are not written as a literal, so they cannot be replaced. Nothing"
        f" was changed. Set 'down_revision' to {_literal(parents, chr(34))} by hand.",
    )


def _literal(ids: c.Sequence[str], quote: str) -> str:
    quoted = [f"{quote}{id}{quote}" for id in ids]
    return quoted[0] if len(quoted) == 1 else f"({', '.join(quoted)})"


def _values_of(tree: ast.Module, name: str) -> list[ast.expr]:
    """Return the values that a module assigns to a variable."""
    return [
        value
        for node in tree.body
        for target, value in _assignments(node)
        if isinstance(target, ast.Name) and target.id == name
    ]


def _assignments(node: ast.stmt) -> c.Iterator[tuple[ast.expr, ast.expr]]:
    match node:
        case ast.Assign():
            yield from ((target, node.value) for target in node.targets)
        case ast.AnnAssign(value=ast.expr() as value):
            yield node.target, value


def _docstring(tree: ast.Module) -> ast.expr | None:
    match tree.body:
        case [ast.Expr(value=ast.Constant(value=str()) as doc), *_]:
            return doc

    return None


def _revises(text: str, doc: _Span, before: str, after: str) -> dict[_Span, str]:
    """Return the change of the line that Alembic writes into the docstring. A text that
    was edited stays.
    """
    line = re.compile(rf"^Revises:[ ]?({re.escape(before)})[ \t]*$", re.MULTILINE)
    found = line.search(text.replace("\r", "\n"), doc.begin, doc.end)

    if found is None:
        return {}

    space = "" if text[found.start(1) - 1] == " " else " "
    return {_Span(*found.span(1)): f"{space}{after}"}


class _Places:
    """Where the nodes of a syntax tree are in its text.

    :param text: The text.
    """

    def __init__(self, text: str) -> None:
        self._lines = [match[0] for match in _line.finditer(text)]
        self._begins = [0]

        for line in self._lines:
            self._begins.append(self._begins[-1] + len(line))

    def span(self, node: ast.expr) -> _Span:
        return _Span(
            self._offset(node.lineno, node.col_offset),
            self._offset(node.end_lineno or 0, node.end_col_offset or 0),
        )

    def _offset(self, number: int, column: int) -> int:
        # Python counts columns in bytes of UTF-8, whatever the encoding of the file.
        before = self._lines[number - 1].encode()[:column].decode()
        return self._begins[number - 1] + len(before)
