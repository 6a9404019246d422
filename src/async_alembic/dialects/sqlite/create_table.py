"""Reads and edits the ``CREATE TABLE`` statement of a table.

SQLite keeps the statement, and tells of CHECK constraints, collations and ON CONFLICT
clauses in no other way (https://www.sqlite.org/schematab.html).
"""

from __future__ import annotations

import collections.abc as c
import dataclasses
import functools
import itertools

from .items import Clause
from .items import Item
from .items import read_items
from .items import SPACE
from .tokens import edit
from .tokens import fold
from .tokens import groups
from .tokens import NotUnderstoodError
from .tokens import split
from .tokens import Token
from .tokens import tokens

_OPTIONS = {"WITHOUT ROWID", "STRICT"}


@dataclasses.dataclass(frozen=True)
class CreateTable:
    """A ``CREATE TABLE`` statement. Methods that edit it return a new one.

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

        items = tuple(read_items(sql, body))
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
        return self.edited(self.replacing(place, place, f" {text}"))

    def cutting(self, start: int, end: int) -> tuple[int, int, str]:
        """Return the edit that removes something, with the space before it."""
        return self.replacing(len(self.sql[:start].rstrip(" \t")), end, "")

    def replacing(self, start: int, end: int, text: str) -> tuple[int, int, str]:
        """Return an edit that keeps what is behind it apart."""
        is_apart = self.sql[end] in SPACE + ",)"
        return start, end, text if is_apart else f"{text} "

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
            self.cutting(clause.start, clause.end)
            for item in itertools.compress(self.items, stays)
            for clause in item.clauses
            if clause in gone
        ]
        table = self.edited(*cuts, *edits)
        return table.arranged([*itertools.compress(table.items, stays)])

    def with_item(self, place: int, text: str) -> CreateTable:
        """Add a column or a constraint behind so many items."""
        lead = (self.items[-1].lead if self.items else "") or " "
        rest = ""

        if any(item.rest for item in self.items[:place][-1:]):
            # A comment has ended the line.
            lead, rest = lead.lstrip("\n"), "\n"

        items = [*self.items]
        items.insert(place, Item(lead, text, rest))
        return self.arranged(items)

    def arranged(self, items: c.Sequence[Item]) -> CreateTable:
        """Replace all items by these."""
        start = self.body[0].end
        end = start + len(_join(self.items))

        if self.items and items and items[0] != self.items[0]:
            # The space before the first one is often another.
            first, other = self.items[0].lead, items[0].lead
            leads = {items[0]: first, self.items[0]: other}
            items = [
                dataclasses.replace(item, lead=leads.get(item, item.lead))
                for item in items
            ]

        return self.edited((start, end, _join(items)))


def _join(items: c.Sequence[Item]) -> str:
    last = len(items) - 1
    return "".join(
        f"{item.lead}{item.text}{',' if number < last else ''}{item.rest}"
        for number, item in enumerate(items)
    )
