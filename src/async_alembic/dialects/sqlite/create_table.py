"""A table as its ``CREATE TABLE`` statement has it, and edits of that statement.

SQLite keeps the statement, and there is no other way to learn of its CHECK
constraints, of collations and of ON CONFLICT clauses
(https://www.sqlite.org/schematab.html, https://www.sqlite.org/lang_createtable.html).
"""

from __future__ import annotations

import collections.abc as c
import dataclasses
import functools
import itertools
import re
import typing as t

from .tokens import edit
from .tokens import fold
from .tokens import groups
from .tokens import nested
from .tokens import NotUnderstoodError
from .tokens import split
from .tokens import Token
from .tokens import tokens

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
_OPTIONS = {"WITHOUT ROWID", "STRICT"}

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
        place = [token.keyword for token in self.tokens].index("REFERENCES")
        return self.tokens[place + 1].name or ""


@dataclasses.dataclass(frozen=True)
class Item:
    """A column, or what else is between two commas: usually one constraint.

    :param text: Its text before the comma, with the comments around it.
    :param rest: The comment behind the comma, in the same line.
    :param tokens: Its tokens.
    :param column: The name of the column; empty for a constraint.
    :param type: The tokens of the column's type.
    """

    text: str
    rest: str
    tokens: tuple[Token, ...]
    column: str = ""
    type: tuple[Token, ...] = ()
    clauses: tuple[Clause, ...] = ()

    @property
    def type_end(self) -> int:
        return (self.tokens[:1] + self.type)[-1].end

    def of_kind(self, kind: str) -> list[Clause]:
        return [clause for clause in self.clauses if clause.kind == kind]


@dataclasses.dataclass(frozen=True)
class CreateTable:
    """A ``CREATE TABLE`` statement. What edits it returns another one.

    :param name: The token that names the table.
    :param body: The parentheses around the items.
    :param options: ``"WITHOUT ROWID"`` and ``"STRICT"``.
    """

    sql: str
    name: Token
    body: tuple[Token, Token]
    items: tuple[Item, ...]
    options: list[str]

    @classmethod
    def parse(cls, sql: str) -> CreateTable:
        """Read a statement as SQLite keeps it.

        :raises NotUnderstoodError: If a part of it is not understood.
        """
        found = tokens(sql)
        body = next(groups(found[3:]), [])
        keywords = [token.keyword for token in found[:2]]

        if keywords != ["CREATE", "TABLE"] or not body or found[3] != body[0]:
            raise NotUnderstoodError(sql)

        tail = split(found[3 + len(body) :])
        options = [" ".join(token.keyword for token in option) for option in tail]

        if not _OPTIONS.issuperset(options):
            raise NotUnderstoodError(sql[body[-1].end :])

        items = tuple(_items(sql, body))
        return cls(sql, found[2], (body[0], body[-1]), items, options)

    @functools.cached_property
    def columns(self) -> dict[str, Item]:
        """The columns, by their folded names."""
        return {fold(item.column): item for item in self.items if item.column}

    @functools.cached_property
    def clauses(self) -> list[Clause]:
        return [clause for item in self.items for clause in item.clauses]

    def of_kind(self, kind: str) -> list[Clause]:
        return [clause for clause in self.clauses if clause.kind == kind]

    @property
    def counter(self) -> Token | None:
        """The keyword ``AUTOINCREMENT``, if it is there."""
        return next(filter(None, (x.counter for x in self.of_kind("PRIMARY"))), None)

    def text(self, found: c.Sequence[Token]) -> str:
        return self.sql[found[0].start : found[-1].end] if found else ""

    def edited(self, *edits: tuple[int, int, str]) -> CreateTable:
        return self.parse(edit(self.sql, edits))

    def inserted(self, place: int, text: str) -> CreateTable:
        """Insert a clause behind another."""
        return self.edited((place, place, f" {text}"))

    def cut(self, start: int, end: int) -> tuple[int, int, str]:
        """Return the edit that removes something, with the space before it."""
        start = len(self.sql[:start].rstrip(" \t"))
        is_parted = self.sql[end : end + 1] in {*" \t\r\n,)"}
        return start, end, "" if is_parted else " "

    def without(
        self, gone: c.Container[Item | Clause], *edits: tuple[int, int, str]
    ) -> CreateTable:
        """Remove items and clauses, and edit the rest."""
        stays = [
            item not in gone
            and (bool(item.column) or any(x not in gone for x in item.clauses))
            for item in self.items
        ]
        cuts = [
            self.cut(clause.start, clause.end)
            for item in itertools.compress(self.items, stays)
            for clause in item.clauses
            if clause in gone
        ]
        table = self.edited(*cuts, *edits)
        return table.arranged([*itertools.compress(table.items, stays)])

    def with_item(self, place: int, text: str) -> CreateTable:
        """Add a column or a constraint behind so many items."""
        lead = _space(self.items[-1].text if self.items else "") or " "
        rest = ""

        if any(item.rest for item in self.items[:place][-1:]):
            # A comment has ended the line.
            lead, rest = lead.lstrip("\n"), "\n"

        items = [*self.items]
        items.insert(place, Item(lead + text, rest, ()))
        return self.arranged(items)

    def arranged(self, items: c.Sequence[Item]) -> CreateTable:
        """Replace all items by these."""
        start = self.body[0].end
        end = start + len(_join(self.items))

        if self.items and items and items[0] != self.items[0]:
            # The space before the first one is often another.
            first, second = _space(self.items[0].text), _space(items[0].text)
            items = [
                dataclasses.replace(items[0], text=first + items[0].text.lstrip()),
                *(
                    dataclasses.replace(x, text=second + x.text.lstrip())
                    if x == self.items[0]
                    else x
                    for x in items[1:]
                ),
            ]

        return self.edited((start, end, _join(items)))


def _space(text: str) -> str:
    return text[: len(text) - len(text.lstrip())]


def _join(items: c.Sequence[Item]) -> str:
    last = len(items) - 1
    return "".join(
        f"{item.text}{',' if number < last else ''}{item.rest}"
        for number, item in enumerate(items)
    )


def _items(sql: str, body: c.Sequence[Token]) -> c.Iterator[Item]:
    place = body[0].end
    commas = [x for x, depth in nested(body[1:-1]) if x.text == "," and not depth]

    for found, comma in itertools.zip_longest(split(body[1:-1]), commas):
        end = comma.start if comma else found[-1].end
        behind = comma.end if comma else end
        rest = _rest_of_line.match(sql, behind)
        item = Item(sql[place:end], rest[0] if rest else "", tuple(found))
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

        listed = split(next(groups(clause), [])[1:-1]) if kind != "CHECK" else []
        columns = (
            [item[0].name or "" for item in listed] if column is None else [column]
        )
        yield Clause(_KINDS.get(kind, kind), name, tuple(columns), clause, start)
        name = start = None


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
