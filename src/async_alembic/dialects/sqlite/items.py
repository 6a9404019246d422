"""The columns and constraints of a ``CREATE TABLE`` statement
(https://www.sqlite.org/lang_createtable.html).
"""

from __future__ import annotations

import collections.abc as c
import dataclasses
import itertools
import re
import typing as t

from .tokens import groups
from .tokens import nested
from .tokens import NotUnderstoodError
from .tokens import split
from .tokens import Token

SPACE = " \t\r\n"

#: The first words of the constraints of a table, and of the clauses of a column.
_CONSTRAINTS = {"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"}
_CLAUSES = {
    *_CONSTRAINTS,
    *("NOT", "NULL", "DEFAULT", "COLLATE", "REFERENCES", "GENERATED", "AS"),
}
#: The second of these words continues a clause.
_PAIRS = {
    *(("NOT", "NULL"), ("SET", "NULL"), ("SET", "DEFAULT"), ("DEFAULT", "NULL")),
    ("ALWAYS", "AS"),
}
_KINDS = {"REFERENCES": "FOREIGN", "AS": "GENERATED"}

#: A comment at the end of a line is about what is before it.
_rest_of_line = re.compile(r"[ \t]*(?:--[^\n]*|/\*[^\n]*?\*/[ \t]*)\n")


@dataclasses.dataclass(frozen=True)
class Clause:
    """A constraint of a table, or a clause of one of its columns.

    :param kind: Its first keyword, such as ``"CHECK"``. A foreign key is ``"FOREIGN"``,
        and what computes a column is ``"GENERATED"``.
    :param name: The name of the constraint, if it has one.
    :param columns: The columns that it is for; not of a ``CHECK`` of the table.
    :param tokens: Its tokens, without the name.
    :param start: Where it begins in the statement, with the name.
    """

    kind: str
    name: str | None
    columns: tuple[str, ...]
    tokens: tuple[Token, ...]
    start: int

    @property
    def end(self) -> int:
        return self.tokens[-1].end

    @property
    def inner(self) -> list[Token]:
        """What is in its first parentheses."""
        return next(groups(self.tokens), [])[1:-1]

    @property
    def counter(self) -> Token | None:
        """The keyword ``AUTOINCREMENT``, if it is there."""
        return next((x for x in self.tokens if x.keyword == "AUTOINCREMENT"), None)

    @property
    def parent(self) -> str:
        """The table that a foreign key refers to."""
        return self.tokens[self._references + 1].name or ""

    @property
    def referred(self) -> list[str]:
        """The columns that a foreign key refers to; empty for the primary key."""
        return _names(self.tokens[self._references :])

    @property
    def _references(self) -> int:
        return [token.keyword for token in self.tokens].index("REFERENCES")


@dataclasses.dataclass(frozen=True)
class Item:
    """What is between two commas: a column, or constraints, usually one.

    :param lead: The space before it.
    :param text: Its text before the comma, with the comments around it.
    :param rest: The comment behind the comma, in the same line.
    :param tokens: Its tokens.
    :param column: The name of the column; empty for a constraint.
    :param type: The tokens of the column's type.
    """

    lead: str
    text: str
    rest: str = ""
    tokens: tuple[Token, ...] = ()
    column: str = ""
    type: tuple[Token, ...] = ()
    clauses: tuple[Clause, ...] = ()

    @property
    def type_end(self) -> int:
        return (self.tokens[:1] + self.type)[-1].end

    def of_kind(self, kind: str) -> list[Clause]:
        return [clause for clause in self.clauses if clause.kind == kind]


def read_items(sql: str, body: c.Sequence[Token]) -> c.Iterator[Item]:
    place = body[0].end
    commas = [x for x, depth in nested(body[1:-1]) if x.text == "," and not depth]

    for found, comma in itertools.zip_longest(split(body[1:-1]), commas):
        end = comma.start if comma else found[-1].end
        behind = comma.end if comma else end
        rest = _rest_of_line.match(sql, behind)
        text = sql[place:end].lstrip(SPACE)
        lead = sql[place : end - len(text)]
        item = Item(lead, text, rest[0] if rest else "", tuple(found))
        place = behind + len(item.rest)
        yield _read(sql, item)


def _read(sql: str, item: Item) -> Item:
    found = item.tokens

    if found[0].keyword in _CONSTRAINTS:
        return dataclasses.replace(item, clauses=tuple(_clauses(found, None)))

    places = range(1, len(found))
    first = next((n for n in places if _begins(found, n)), len(found))
    words = itertools.takewhile(lambda token: token.name is not None, found[:first])
    count = len([*words])
    sizes = next(groups(found[count:first]), [])

    if not count or count + len(sizes) != first:
        raise NotUnderstoodError(sql[found[0].start : found[-1].end])

    name = t.cast("str", found[0].name)
    clauses = tuple(_clauses(found[first:], name))
    return dataclasses.replace(item, column=name, type=found[1:first], clauses=clauses)


def _clauses(found: c.Sequence[Token], column: str | None) -> c.Iterator[Clause]:
    depths = enumerate(depth for _, depth in nested(found))
    starts = [n for n, depth in depths if not depth and _begins(found, n)]
    name: str | None = None
    start: int | None = None

    for first, last in itertools.pairwise([*starts, len(found)]):
        clause = tuple(found[first:last])
        kind = clause[0].keyword
        start = clause[0].start if start is None else start

        if kind == "CONSTRAINT":
            name = clause[1].name
            continue

        listed = [] if kind == "CHECK" else _names(clause)
        columns = tuple(listed if column is None else [column])
        yield Clause(_KINDS.get(kind, kind), name, columns, clause, start)
        name = start = None


def _names(found: c.Sequence[Token]) -> list[str]:
    """Return the names in the first parentheses."""
    listed = split(next(groups(found), [])[1:-1])
    return [item[0].name or "" for item in listed]


def _begins(found: c.Sequence[Token], place: int) -> bool:
    """Whether a clause begins there."""
    keyword = found[place].keyword
    before = found[place - 1].keyword if place else ""
    following = found[place + 1].keyword if place + 1 < len(found) else ""

    match keyword:
        case "NOT":
            return following == "NULL"
        case "GENERATED":
            return following == "ALWAYS"
        case "REFERENCES":
            return not any(token.keyword == "FOREIGN" for token in found[:place])

    return keyword in _CLAUSES and (before, keyword) not in _PAIRS
