"""The header of a revision file: what Alembic reads of its module, read without
importing it. Knows no files; only what can be told for sure is told.
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

#: One or several ids, as Alembic takes them.
Ids: t.TypeAlias = str | c.Sequence[str] | None

_NAMES = ("revision", "down_revision", "branch_labels", "depends_on")
_SETTERS = {"globals", "locals", "vars", "exec", "eval", "setattr"}
#: A file without these words leaves the names alone. The first is in two of them.
_HINTS = (
    *("revision", "branch_labels", "depends_on", "__doc__", "__dict__", "import *"),
    *(f"{name}(" for name in _SETTERS),
)
_STRING = r"""(?:"[^"\\\n]*"|'[^'\\\n]*')"""
_END = r"[ \t]*(?:\#[^\n]*)?\n"
_NO_NAME = r"(?!revision|down_revision|branch_labels|depends_on)"
_ASSIGNMENT = "|".join(
    # No annotation has an equals sign, nor a string that could hide one.
    rf"{name}[ \t]*(?::[^=\n#\"']*)?=[ \t]*(?P<{name}>None|{_STRING}){_END}"
    for name in _NAMES
)
_IMPORT = (
    rf"(?:from|import)[ ](?:[., ]++|{_NO_NAME}\w++)++"
    rf"(?:\((?:[\s,]++|{_NO_NAME}\w++)*+\))?{_END}"
)
#: The beginning of a file as it is nearly always written: a docstring, then imports
#: and the assignments of one id each.
_usual = re.compile(
    rf'(?:{_END})*(?:r?"{{3}}(?P<doc>[^"\\]*+(?:"(?!"")[^"\\]*+)*+)"{{3}}{_END})?'
    rf"(?:{_END}|{_IMPORT}|{_ASSIGNMENT})*+"
)
#: What a line can begin with that names an encoding, or is before one that does.
_BEFORE_CODING = (b"#", b"\n", b" ", b"\t")
_coding = re.compile(rb"(?:[^\n]*\n)?[^\n]*coding[:=]")


class Header(t.NamedTuple):
    """What Alembic reads of a revision's module.

    :param revision: Its id.
    :param down_revision: The ids of its parents.
    :param branch_labels: The labels of its branch.
    :param depends_on: The ids of what it depends on.
    :param doc: Its docstring.
    """

    revision: str
    down_revision: Ids
    branch_labels: Ids
    depends_on: Ids
    doc: str | None


def read_header(source: bytes, path: str) -> Header | None:
    """Read the header of a revision file.

    :param source: The content of the file.
    :param path: Its path, for what Python warns of.
    :return: ``None`` if it takes an import to tell.
    """
    return _read_usual(source) or _read_syntax(source, path)


def header_of(module: ModuleType) -> Header:
    """The header that the module of a revision has."""
    return Header(
        module.revision,
        module.down_revision,
        getattr(module, "branch_labels", None),
        getattr(module, "depends_on", None),
        module.__doc__,
    )


def _read_usual(source: bytes) -> Header | None:
    if source[:1] in _BEFORE_CODING and _coding.match(source):
        return None

    try:
        text = source.decode()
    except UnicodeDecodeError:
        return None

    found = _usual.match(text)

    if found is None or "\r" in text or "\f" in text:
        return None

    doc, *values = found.group("doc", *_NAMES)
    rest = text[found.end() :]

    for word in _HINTS:
        if word in rest:
            return None

    if values[0] is None or values[1] is None:
        return None

    revision, down_revision, labels, dependencies = map(_value, values)

    if not revision:
        return None

    return Header(revision, down_revision, labels, dependencies, _docstring(doc))


def _value(text: str | None) -> str | None:
    return None if text is None or text == "None" else text[1:-1]


def _read_syntax(source: bytes, path: str) -> Header | None:
    try:
        tree = ast.parse(source, path)
    # In several threads: https://github.com/python/cpython/issues/106905
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

    if any(_may_set(node) for statement in rest for node in ast.walk(statement)):
        return None

    return _header(values, ast.get_docstring(tree, clean=False))


def _may_set(node: ast.AST) -> bool:
    """Whether a node may give one of the names another meaning."""
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

    # What cannot be used is left to Alembic, and to who explains its errors.
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
    """A docstring as a module has it."""
    if text is None or sys.flags.optimize > 1:
        return None

    # https://docs.python.org/3/whatsnew/3.13.html#other-language-changes
    return inspect.cleandoc(text) if sys.version_info >= (3, 13) else text
