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

from .tokens import edit
from .tokens import fold
from .tokens import groups
from .tokens import nested
from .tokens import NotUnderstoodError
from .tokens import split
from .tokens import Token
from .tokens import tokens

#: The first words of the clauses of a column and of the constraints of a table.
_CLAUSES = {
    *("CONSTRAINT", "PRIMARY", "NOT", "NULL", "UNIQUE", "CHECK", "DEFAULT", "COLLATE"),
    *("REFERENCES", "FOREIGN", "GENERATED", "AS"),
}
_CONSTRAINTS = {"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"}
#: The second of these words continues a clause.
_PAIRS = {
    *(("NOT", "NULL"), ("SET", "NULL"), ("SET", "DEFAULT"), ("DEFAULT", "NULL")),
    ("ALWAYS", "AS"),
}
_KINDS = {"REFERENCES": "FOREIGN", "AS": "GENERATED"}
_OPTIONS = {"WITHOUT ROWID", "STRICT"}

#: Comments that end a line belong to what is before them.
_rest_of_line = re.compile(
    r"(?:[ \t]*/\*(?:[^*]|\*(?!/))*\*/)+[ \t]*(?=\n)"
    r"|(?:[ \t]*/\*(?:[^*]|\*(?!/))*\*/)*[ \t]*--[^\n]*\n"
)


@dataclasses.dataclass(frozen=True)
class Clause:
    """A constraint of a table, or a clause of one of its columns.

    :param kind: Its first keyword, such as ``"CHECK"``. A foreign key is ``"FOREIGN"``,
        and what computes a column is ``"GENERATED"``.
    :param name: The name of the constraint, if it has one.
    :param columns: The columns that it is for; none for ``"CHECK"``.
    :param tokens: The tokens, without the name.
    :param start: Where it begins in the statement, including the name.
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
        """The keyword ``AUTOINCREMENT`` of a primary key."""
        found = (token for token in self.tokens if token.keyword == "AUTOINCREMENT")
        return next(found, None)

    @property
    def parent(self) -> str:
        """The table that a foreign key refers to."""
        place = [token.keyword for token in self.tokens].index("REFERENCES")
        return self.tokens[place + 1].name or ""


@dataclasses.dataclass(frozen=True)
class Piece:
    """What is between two commas of the statement.

    :param text: The text, including the spaces and comments before it.
    :param gap: What is before the comma.
    :param rest: Comments behind the comma, in the same line.
    """

    text: str
    gap: str = ""
    rest: str = ""


@dataclasses.dataclass(frozen=True)
class Item:
    """A column, or a constraint of the table.

    :param piece: Its place in the statement.
    :param tokens: All of its tokens.
    :param column: The name of the column; ``None`` for a constraint.
    :param type: The tokens of the column's type; none if it has no type.
    :param clauses: Usually one for a constraint: there may be no comma between two.
    """

    piece: Piece
    tokens: tuple[Token, ...]
    column: str | None
    type: tuple[Token, ...]
    clauses: tuple[Clause, ...]

    @property
    def type_end(self) -> int:
        return [self.tokens[0], *self.type][-1].end

    def of_kind(self, *kinds: str) -> list[Clause]:
        return [clause for clause in self.clauses if clause.kind in kinds]


@dataclasses.dataclass(frozen=True)
class CreateTable:
    """A ``CREATE TABLE`` statement. An edit makes a new one.

    :param sql: The statement.
    :param name: The name of the table.
    :param items: Its columns and constraints.
    :param options: ``"WITHOUT ROWID"`` and ``"STRICT"``.
    :param body: The start and the end of the items in the statement.
    :param end: Where the options begin.
    """

    sql: str
    name: Token
    items: tuple[Item, ...]
    options: tuple[str, ...]
    body: tuple[int, int]
    end: int

    @classmethod
    def parse(cls, sql: str) -> CreateTable:
        """Read a statement.

        :param sql: The statement as SQLite keeps it.
        :raises NotUnderstoodError: If a part of it is not understood.
        """
        found = tokens(sql)
        body = next(groups(found[3:]), [])

        if (
            [token.keyword for token in found[:2]] != ["CREATE", "TABLE"]
            or found[2].name is None
            or found[3:4] != body[:1]
        ):
            raise NotUnderstoodError(f"{sql[:40]!r} is not understood")

        last = found.index(body[-1])
        options = [
            " ".join(token.keyword for token in option)
            for option in split(found[last + 1 :])
        ]

        if not _OPTIONS.issuperset(options):
            raise NotUnderstoodError(f"{sql[body[-1].end :]!r} is not understood")

        items = tuple(_items(sql, body))
        start = body[0].end
        end = start + len(_join([item.piece for item in items]))
        return cls(sql, found[2], items, tuple(options), (start, end), body[-1].end)

    @functools.cached_property
    def columns(self) -> dict[str, Item]:
        """The columns, by their folded names."""
        return {fold(item.column): item for item in self.items if item.column}

    @functools.cached_property
    def clauses(self) -> list[Clause]:
        """The clauses of the columns, and the constraints of the table."""
        return [clause for item in self.items for clause in item.clauses]

    def of_kind(self, kind: str) -> list[Clause]:
        return [clause for clause in self.clauses if clause.kind == kind]

    @property
    def counter(self) -> Token | None:
        """The keyword ``AUTOINCREMENT``, if there is one."""
        found = (clause.counter for clause in self.of_kind("PRIMARY"))
        return next(filter(None, found), None)

    def text(self, found: c.Sequence[Token]) -> str:
        return self.sql[found[0].start : found[-1].end] if found else ""

    def edited(self, *edits: tuple[int, int, str]) -> CreateTable:
        """Replace parts of the statement, as :func:`edit` does."""
        return self.parse(edit(self.sql, edits))

    def arranged(self, pieces: c.Sequence[Piece]) -> CreateTable:
        """Replace all items."""
        return self.edited((*self.body, _join(pieces)))

    def without(
        self, gone: c.Container[Item | Clause], *edits: tuple[int, int, str]
    ) -> CreateTable:
        """Remove items, and clauses of those that stay.

        :param edits: What is replaced at the same time.
        """
        kept = [
            item
            for item in self.items
            if item not in gone
            and (item.column or not all(clause in gone for clause in item.clauses))
        ]
        cuts = [
            self._cut(clause.start, clause.end)
            for item in kept
            for clause in item.clauses
            if clause in gone
        ]
        places = [self.items.index(item) for item in kept]
        cut = self.edited(*cuts, *edits)
        return cut.arranged([cut.items[place].piece for place in places])

    def with_items(self, place: int, texts: c.Iterable[str]) -> CreateTable:
        """Add columns or constraints before an item."""
        pieces = [item.piece for item in self.items]
        lead = re.match(r"\s*", pieces[-1].text)[0] or " "  # type: ignore[index]
        after = pieces[place - 1].rest
        # A comment has taken the end of the line along.
        lead = lead.lstrip("\n") if after.endswith("\n") else lead
        pieces[place:place] = [Piece(lead + text) for text in texts]
        return self.arranged(pieces)

    def with_clause(self, place: int, text: str) -> CreateTable:
        """Add a clause at a place where one ends."""
        return self.edited((place, place, f" {text}"))

    def without_tokens(self, found: c.Sequence[Token]) -> CreateTable:
        return self.edited(self._cut(found[0].start, found[-1].end))

    def _cut(self, start: int, end: int) -> tuple[int, int, str]:
        start = len(self.sql[:start].rstrip(" \t"))
        is_parted = self.sql[end : end + 1] in {*" \t\r\n,);", ""}
        return start, end, "" if is_parted else " "


def _items(sql: str, body: c.Sequence[Token]) -> c.Iterator[Item]:
    place = body[0].end
    commas = [t for t, depth in nested(body[1:-1]) if t.text == "," and not depth]

    for item, comma in itertools.zip_longest(split(body[1:-1]), commas):
        end = item[-1].end
        gap = sql[end : comma.start] if comma else ""
        behind = comma.end if comma else end
        rest = _rest_of_line.match(sql, behind)
        piece = Piece(sql[place:end], gap, rest[0] if rest else "")
        place = behind + len(piece.rest)
        yield _item(sql, item, piece)


def _item(sql: str, found: list[Token], piece: Piece) -> Item:
    if found[0].keyword in _CONSTRAINTS:
        return Item(piece, tuple(found), None, (), tuple(_clauses(found, None)))

    starts = (n for n in range(1, len(found)) if _begins(found, n))
    first = next(starts, len(found))
    type_ = found[1:first]
    words = list(itertools.takewhile(lambda token: token.name is not None, type_))
    sizes = next(groups(type_[len(words) :]), [])

    if (name := found[0].name) is None or words + sizes != type_:
        text = sql[found[0].start : found[-1].end]
        raise NotUnderstoodError(f"{text!r} is not understood")

    clauses = tuple(_clauses(found[first:], name))
    return Item(piece, tuple(found), name, tuple(type_), clauses)


def _clauses(found: list[Token], column: str | None) -> c.Iterator[Clause]:
    starts = [
        n
        for n, (_, depth) in enumerate(nested(found))
        if not depth and _begins(found, n)
    ]
    name: Token | None = None
    start = 0

    for first, last in itertools.pairwise([*starts, len(found)]):
        clause = tuple(found[first:last])
        kind = clause[0].keyword

        if kind == "CONSTRAINT":
            name, start = clause[1], clause[0].start
            continue

        if name is None:
            start = clause[0].start

        columns = (column,) if column is not None else _listed(clause)
        yield Clause(
            _KINDS.get(kind, kind),
            name.name if name else None,
            () if kind == "CHECK" else columns,
            clause,
            start,
        )
        name = None


def _listed(clause: c.Sequence[Token]) -> tuple[str, ...]:
    """The first names in the items of a list in parentheses."""
    group = next(groups(clause), [])
    return tuple(item[0].name or "" for item in split(group[1:-1]))


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


def _join(pieces: c.Sequence[Piece]) -> str:
    commas = [","] * (len(pieces) - 1) + [""]
    return "".join(
        piece.text + piece.gap + comma + piece.rest
        for piece, comma in zip(pieces, commas, strict=True)
    )
