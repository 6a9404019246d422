"""The header of a revision file, read without importing the file. Nothing here opens a
file. If the header is not certain without an import, none is returned.
"""

from __future__ import annotations

import ast
import collections.abc as c
import inspect
import re
import sys
import typing as t

if t.TYPE_CHECKING:
    from types import ModuleType

#: One id or several, in the forms that Alembic accepts.
Ids: t.TypeAlias = str | c.Sequence[str] | None

_NAMES = ("revision", "down_revision", "branch_labels", "depends_on")
_SETTERS = {"globals", "locals", "vars", "exec", "eval", "setattr"}
#: Code without these strings cannot assign the names ("down_revision" contains
#: "revision").
_HINTS = (
    *("revision", "branch_labels", "depends_on", "__doc__", "__dict__", "import *"),
    *(f"{name}(" for name in _SETTERS),
)
_STRING = r"""(?:"[^"\\\n]*"|'[^'\\\n]*')"""
_END = r"[ \t]*(?:\#[^\n]*)?\n"
_NOT_A_HEADER_NAME = r"(?!revision|down_revision|branch_labels|depends_on)"
_ASSIGNMENT = "|".join(
    # The annotation must not contain "=", or a string that could hide one.
    rf"{name}[ \t]*(?::[^=\n#\"']*)?=[ \t]*(?P<{name}>None|{_STRING}){_END}"
    for name in _NAMES
)
_IMPORT = (
    rf"(?:from|import)[ ](?:[., ]++|{_NOT_A_HEADER_NAME}\w++)++"
    rf"(?:\((?:[\s,]++|{_NOT_A_HEADER_NAME}\w++)*+\))?{_END}"
)
#: The beginning of nearly every file: a docstring, then imports and assignments of one
#: id each.
_typical_header = re.compile(
    rf'(?:{_END})*(?:r?"{{3}}(?P<doc>[^"\\]*+(?:"(?!"")[^"\\]*+)*+)"{{3}}{_END})?'
    rf"(?:{_END}|{_IMPORT}|{_ASSIGNMENT})*+"
)
#: The possible first bytes of a file that declares an encoding in its first two lines.
_BEFORE_CODING = (b"#", b"\n", b" ", b"\t")
_coding = re.compile(rb"(?:[^\n]*\n)?[^\n]*coding[:=]")


class Header(t.NamedTuple):
    """The variables of a revision file that Alembic reads.

    :param revision: The id of the revision.
    :param down_revision: The ids of its parents.
    :param branch_labels: The labels of its branch.
    :param depends_on: The ids of its dependencies.
    :param doc: The docstring of the file.
    """

    revision: str
    down_revision: Ids
    branch_labels: Ids
    depends_on: Ids
    doc: str | None


def as_tuple(ids: object) -> tuple[str, ...]:
    """Return ids as a tuple, in whichever form they are written."""
    if isinstance(ids, str):
        return (ids,)

    if ids is None:
        return ()

    # An imported file may have anything; it is then reported as an unknown revision.
    one_or_several: t.Any = ids
    return tuple(ids) if isinstance(ids, c.Iterable) else (one_or_several,)


def read_header(source: bytes, path: str) -> Header | None:
    """Read the header of a revision file.

    :param source: The content of the file.
    :param path: The path of the file, which Python shows in warnings.
    :return: The header, or ``None`` if the file must be imported to read it.
    """
    return _read_with_regex(source) or _read_with_ast(source, path)


def header_of(module: ModuleType) -> Header:
    """Return the header of an imported revision."""
    return Header(
        module.revision,
        module.down_revision,
        getattr(module, "branch_labels", None),
        getattr(module, "depends_on", None),
        module.__doc__,
    )


def _read_with_regex(source: bytes) -> Header | None:
    if source[:1] in _BEFORE_CODING and _coding.match(source):
        return None

    try:
        text = source.decode()
    except UnicodeDecodeError:
        return None

    found = _typical_header.match(text)

    if found is None or "\r" in text or "\f" in text:
        return None

    doc, revision, down_revision, labels, dependencies = found.groups()

    if revision is None or down_revision is None:
        return None

    # Called for every file at every start, so this avoids a loop.
    if any(map(text[found.end() :].__contains__, _HINTS)):
        return None

    revision = _unquote(revision)

    if not revision:
        return None

    return Header(
        revision,
        _unquote(down_revision),
        _unquote(labels),
        _unquote(dependencies),
        _docstring(doc),
    )


def _unquote(text: str | None) -> str | None:
    return None if text is None or text == "None" else text[1:-1]


def _read_with_ast(source: bytes, path: str) -> Header | None:
    try:
        tree = ast.parse(source, path)
    # SystemError with threads: https://github.com/python/cpython/issues/106905
    except (SyntaxError, ValueError, RecursionError, MemoryError, SystemError):
        return None

    values: dict[str, t.Any] = {}
    rest: list[ast.stmt] = []

    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(name)], value=ast.expr() as value) | (
                ast.AnnAssign(target=ast.Name(name), value=ast.expr() as value)
            ) if name in _NAMES:
                try:
                    values[name] = ast.literal_eval(value)
                except ValueError:
                    return None
            case _:
                rest.append(statement)

    if not {"revision", "down_revision"} <= values.keys():
        return None

    if any(_may_rebind(node) for statement in rest for node in ast.walk(statement)):
        return None

    return _header(values, ast.get_docstring(tree, clean=False))


def _may_rebind(node: ast.AST) -> bool:
    """Whether a node may rebind one of the names."""
    match node:
        case ast.Name(name, ctx=ast.Load()):
            return name in _SETTERS
        case ast.Attribute():
            return node.attr == "__dict__"
        case ast.Constant() | ast.arg() | ast.keyword():
            return False
        case ast.ImportFrom(names=[ast.alias("*")]):
            return True
        case ast.Global():
            names: c.Iterable[t.Any] = node.names
        case _:
            names = (value for _, value in ast.iter_fields(node))

    return any(name in (*_NAMES, "__doc__") for name in names if isinstance(name, str))


def _header(values: c.Mapping[str, t.Any], doc: str | None) -> Header | None:
    revision = values["revision"]

    # The file is then imported, which reports the invalid id.
    if not isinstance(revision, str) or not revision:
        return None

    down_revision, labels, dependencies = (values.get(name) for name in _NAMES[1:])

    if not all(map(_is_ids, [down_revision, labels, dependencies])):
        return None

    return Header(revision, down_revision, labels, dependencies, _docstring(doc))


def _is_ids(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return all(isinstance(item, str) for item in value)

    return value is None or isinstance(value, str)


def _docstring(text: str | None) -> str | None:
    """Return a docstring as an imported module has it."""
    if text is None or sys.flags.optimize > 1:
        return None

    # https://docs.python.org/3/whatsnew/3.13.html#other-language-changes
    return inspect.cleandoc(text) if sys.version_info >= (3, 13) else text
