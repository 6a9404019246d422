"""Finds the tables that the revisions of a history create."""

from __future__ import annotations

import ast
import collections.abc as c
import re
import tokenize
import typing as t

if t.TYPE_CHECKING:
    #: Schema and name.
    TableKey: t.TypeAlias = tuple[str | None, str]

#: A schema that is not written as a literal.
_ANY = "*"
#: The operations that create a table: the position and the keyword of its name.
_OPERATIONS = {"create_table": (0, "table_name"), "rename_table": (1, "new_table_name")}
_IDENTIFIER = r'"[^"]+"|`[^`]+`|\[[^\]]+\]|\w+'
_create_table = re.compile(
    r"\b(?:CREATE\s+(?:\w+\s+)*?TABLE|RENAME\s+TO)\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    rf"(?:({_IDENTIFIER})\s*\.\s*)?({_IDENTIFIER})",
    re.IGNORECASE,
)


class CreatedTables:
    """The tables that revisions create, as far as their files tell: by an operation of
    Alembic with a literal name, or by the SQL in a string.

    :param paths: The revision files.
    """

    def __init__(self, paths: c.Iterable[str]) -> None:
        self._found: set[TableKey] = {
            (schema, name.lower())
            for path in paths
            for schema, name in _created(_read(path))
        }

    def has(self, schema: str | None, name: str, default: str | None) -> bool:
        """Return whether a revision creates a table.

        :param schema: The schema of the table.
        :param name: The name of the table.
        :param default: The schema that is meant where none is named.
        """
        schemas = {_ANY, schema or default, None if schema == default else schema}
        return not self._found.isdisjoint((known, name.lower()) for known in schemas)


def _read(path: str) -> ast.AST:
    # A revision can be a file of bytecode, which tells nothing.
    try:
        with tokenize.open(path) as file:
            return ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return ast.Module([], [])


def _created(tree: ast.AST) -> c.Iterator[TableKey]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=attr)) if attr in _OPERATIONS:
                yield from _created_by_call(node, *_OPERATIONS[attr])
            case ast.Constant(value=str(text)):
                for schema, name in _create_table.findall(text):
                    yield _unquoted(schema) or None, _unquoted(name)


def _created_by_call(
    call: ast.Call, position: int, keyword: str
) -> c.Iterator[TableKey]:
    keywords = {item.arg: item.value for item in call.keywords}
    name = keywords.get(keyword) or next(iter(call.args[position:]), None)

    match name, keywords.get("schema"):
        case ast.Constant(value=str(table)), None | ast.Constant(value=None):
            yield None, table
        case ast.Constant(value=str(table)), ast.Constant(value=str(schema)):
            yield schema, table
        case ast.Constant(value=str(table)), _:
            yield _ANY, table


def _unquoted(identifier: str) -> str:
    return identifier.strip('"`[]')
