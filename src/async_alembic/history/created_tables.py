"""Finds the tables that the revisions of a history create."""

from __future__ import annotations

import ast
import collections.abc as c
import re
import tokenize
import typing as t

#: A schema that is not written as a literal.
_ANY = "*"
#: The operations that create a table: the position and the keyword of its name.
_OPERATIONS = {"create_table": (0, "table_name"), "rename_table": (1, "new_table_name")}
#: What a revision executes SQL by.
_EXECUTING = {"DDL", "exec_driver_sql", "execute", "text"}
_IDENTIFIER = r'"[^"]+"|`[^`]+`|\[[^\]]+\]|\w+'
#: A temporary table is gone with its session.
_create_table = re.compile(
    r"(?:CREATE\s+(?:(?:UNLOGGED|FOREIGN|OR\s+REPLACE)\s+)*TABLE"
    r"(?:\s+IF\s+NOT\s+EXISTS)?"
    rf"|ALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:{_IDENTIFIER}|\s*\.\s*)+\s+RENAME\s+TO)"
    rf"\s+(?:({_IDENTIFIER})\s*\.\s*)?({_IDENTIFIER})",
    re.IGNORECASE,
)
_no_statement = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)


class CreatedTable(t.NamedTuple):
    """A table that a revision creates.

    :param schema: The schema, if one is named.
    :param name: The name.
    :param is_folded: Whether the database may have changed the case of the name.
    :param engine_name: What the history calls the only database that it is for.
    """

    schema: str | None
    name: str
    is_folded: bool
    engine_name: str | None

    def is_named(self, name: str) -> bool:
        """Return whether the database may have this name for the table."""
        if not self.is_folded:
            return name == self.name

        return name in {self.name, self.name.lower(), self.name.upper()}


class CreatedTables:
    """The tables that revisions create when they upgrade, as far as their files tell:
    by an operation of Alembic with a literal name, or by SQL that is executed.

    :param paths: The revision files.
    :param engine_names: What the history calls the databases, if there are several.
    """

    def __init__(self, paths: c.Iterable[str], engine_names: c.Container[str]) -> None:
        self._found: set[CreatedTable] = {
            created for path in paths for created in _created(_read(path), engine_names)
        }

    def has(
        self, schema: str | None, name: str, default: str | None, engine_name: str
    ) -> bool:
        """Return whether a revision creates a table.

        :param schema: The schema of the table.
        :param name: The name of the table.
        :param default: The schema that is meant where none is named.
        :param engine_name: What the history calls the database.
        """
        schemas = {_ANY, schema or default, None if schema == default else schema}
        return any(
            created.schema in schemas
            and created.is_named(name)
            and created.engine_name in {None, engine_name}
            for created in self._found
        )


def _read(path: str) -> ast.Module:
    # A revision can be a file of bytecode, which tells nothing.
    try:
        with tokenize.open(path) as file:
            return ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return ast.Module([], [])


def _created(
    tree: ast.Module, engine_names: c.Container[str]
) -> c.Iterator[CreatedTable]:
    texts = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }

    for node in tree.body:
        start, _, rest = getattr(node, "name", "").partition("_")
        is_for_one = start == "upgrade" and rest in engine_names

        # A downgrade creates again what its upgrade drops.
        for call in ast.walk(node) if start != "downgrade" else ():
            if isinstance(call, ast.Call):
                yield from _created_by(call, texts, rest if is_for_one else None)


def _created_by(
    call: ast.Call, texts: c.Mapping[str, object], engine_name: str | None
) -> c.Iterator[CreatedTable]:
    function = getattr(call.func, "attr", getattr(call.func, "id", ""))

    if function in _OPERATIONS and isinstance(call.func, ast.Attribute):
        yield from _created_by_operation(call, *_OPERATIONS[function], engine_name)
    elif function in _EXECUTING:
        for argument in call.args:
            for part in ast.walk(argument):
                match part:
                    case ast.Constant(value=str(text)):
                        yield from _created_by_sql(text, engine_name)
                    case ast.Name(id=name):
                        yield from _created_by_sql(str(texts.get(name)), engine_name)


def _created_by_operation(
    call: ast.Call, position: int, keyword: str, engine_name: str | None
) -> c.Iterator[CreatedTable]:
    keywords = {item.arg: item.value for item in call.keywords}
    name = keywords.get(keyword) or next(iter(call.args[position:]), None)

    match name, keywords.get("schema"):
        case ast.Constant(value=str(table)), None | ast.Constant(value=None):
            yield CreatedTable(None, table, False, engine_name)
        case ast.Constant(value=str(table)), ast.Constant(value=str(schema)):
            yield CreatedTable(schema, table, False, engine_name)
        case ast.Constant(value=str(table)), _:
            yield CreatedTable(_ANY, table, False, engine_name)


def _created_by_sql(text: str, engine_name: str | None) -> c.Iterator[CreatedTable]:
    for statement in _no_statement.sub(" ", text).split(";"):
        if match := _create_table.match(statement.strip()):
            schema, name = match.groups()
            yield CreatedTable(
                _unquoted(schema) if schema else None,
                _unquoted(name),
                name == _unquoted(name),
                engine_name,
            )


def _unquoted(identifier: str) -> str:
    return identifier.strip('"`[]')
