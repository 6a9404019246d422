"""What a table of SQLite is, read from the statement that has created it.

SQLite keeps that statement, and there is no other way to learn of its CHECK
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

_token = re.compile(
    r"""
      (?P<space>   \s+ | --[^\n]* | /\*.*?(?:\*/|\Z) )
    | (?P<string>  '(?:[^']|'')*' )
    | (?P<quoted>  "(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\] )
    | (?P<word>    [^\W\d][\w$]* )
    | (?P<number>  \d[\w.]* | \.\d\w* )
    | (?P<other>   . )
    """,
    re.VERBOSE | re.DOTALL,
)

#: What a clause of a column or of a table begins with.
_CLAUSES = {
    *("CONSTRAINT", "PRIMARY", "NOT", "NULL", "UNIQUE", "CHECK", "DEFAULT", "COLLATE"),
    *("REFERENCES", "FOREIGN", "GENERATED", "AS"),
}
_TABLE_CLAUSES = {"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"}
#: Where such a word goes on with a clause.
_PAIRS = {
    *(("NOT", "NULL"), ("SET", "NULL"), ("SET", "DEFAULT"), ("DEFAULT", "NULL")),
    ("ALWAYS", "AS"),
}

_on_conflict = re.compile(r"\bON CONFLICT (\w+)")
_actions = {
    "ondelete": re.compile(r"\bON DELETE (SET NULL|SET DEFAULT|CASCADE|RESTRICT)"),
    "onupdate": re.compile(r"\bON UPDATE (SET NULL|SET DEFAULT|CASCADE|RESTRICT)"),
    "initially": re.compile(r"\bINITIALLY (\w+)"),
}
_deferrable = re.compile(r"\b(NOT )?DEFERRABLE\b")


@dataclasses.dataclass(frozen=True)
class Token:
    """A word, a name, a string, a number or a sign."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def keyword(self) -> str:
        """A word that is not quoted, in upper case; else a sign, or nothing."""
        return self.text.upper() if self.kind in {"word", "other"} else ""

    @property
    def name(self) -> str | None:
        """The name that this is, if it can be one."""
        if self.kind == "quoted":
            quote = {"[": "]"}.get(self.text[0], self.text[0])
            return self.text[1:-1].replace(quote * 2, quote)

        return self.text if self.kind == "word" else None


@dataclasses.dataclass(frozen=True)
class Constraint:
    """A clause of a table, or of one of its columns.

    :param kind: Its first keyword, such as ``"CHECK"``. A foreign key is ``"FOREIGN"``.
    :param name: Its name, if it has one.
    :param columns: The columns that it is for.
    :param tokens: The clause, without its name.
    :param sql: The statement that it is part of.
    """

    kind: str
    name: str | None
    columns: tuple[str, ...]
    tokens: tuple[Token, ...]
    sql: str = dataclasses.field(repr=False)

    @property
    def inner(self) -> str:
        """What is in its first parentheses."""
        [inner, *_] = _groups(self.tokens)
        return self.sql[inner[0].end : inner[-1].start].strip()

    @property
    def words(self) -> str:
        """The keywords that are in no parentheses."""
        return " ".join(
            token.keyword for token, depth in _nested(self.tokens) if not depth
        )

    @property
    def on_conflict(self) -> str | None:
        found = _on_conflict.search(self.words)
        return found[1] if found else None

    @property
    def parent(self) -> str:
        """The table that a foreign key refers to."""
        place = [token.keyword for token in self.tokens].index("REFERENCES")
        return self.tokens[place + 1].name or ""

    @property
    def options(self) -> dict[str, t.Any]:
        """The arguments that SQLAlchemy has for the rest of a foreign key."""
        found = {key: rule.search(self.words) for key, rule in _actions.items()}
        options: dict[str, t.Any] = {k: m[1] for k, m in found.items() if m}

        if match := _deferrable.search(self.words):
            options["deferrable"] = not match[1]

        return options


@dataclasses.dataclass(frozen=True)
class Column:
    """A column as it was declared.

    :param type: Its type as it is written; empty if it has none.
    :param constraints: Its own clauses.
    """

    name: str
    type: str
    constraints: tuple[Constraint, ...]

    @property
    def collation(self) -> str | None:
        found = self._find("COLLATE")
        return found.tokens[1].name if found else None

    @property
    def generated(self) -> Constraint | None:
        """How it is computed, if it is."""
        return self._find("GENERATED") or self._find("AS")

    @property
    def not_null(self) -> Constraint | None:
        return self._find("NOT")

    def _find(self, kind: str) -> Constraint | None:
        # The last one counts.
        found = [clause for clause in self.constraints if clause.kind == kind]
        return found[-1] if found else None


@dataclasses.dataclass(frozen=True)
class TableDefinition:
    """A table as it was declared.

    :param columns: The columns, by their names in lower case.
    :param own: The constraints that belong to no column.
    :param options: ``"WITHOUT ROWID"`` and ``"STRICT"``.
    """

    columns: dict[str, Column]
    own: tuple[Constraint, ...]
    options: tuple[str, ...]

    @functools.cached_property
    def constraints(self) -> tuple[Constraint, ...]:
        """Those of the table and those of its columns."""
        inline = (
            found for column in self.columns.values() for found in column.constraints
        )
        return (*inline, *self.own)

    def of_kind(self, kind: str) -> list[Constraint]:
        return [found for found in self.constraints if found.kind == kind]

    @property
    def autoincrements(self) -> bool:
        return any("AUTOINCREMENT" in found.words for found in self.of_kind("PRIMARY"))

    @property
    def has_rowid_alias(self) -> bool:
        """Whether a column is another name of the rowid
        (https://www.sqlite.org/lang_createtable.html#rowid).
        """
        keys = [key for found in self.of_kind("PRIMARY") for key in found.columns]
        types = [self.columns[key.lower()].type.upper() for key in keys]
        return types == ["INTEGER"] and "WITHOUT ROWID" not in self.options


def parse_table(sql: str) -> TableDefinition | None:
    """Read a ``CREATE TABLE`` statement as SQLite keeps it.

    :param sql: The statement.
    :return: ``None`` for a virtual table.
    """
    found = tokens(sql)
    body = next(_groups(found), None)

    if body is None or [token.keyword for token in found[:2]] != ["CREATE", "TABLE"]:
        return None

    columns: dict[str, Column] = {}
    own: list[Constraint] = []

    for item in _split(body[1:-1]):
        if item[0].keyword in _TABLE_CLAUSES:
            own += _clauses(item, sql, None)
        else:
            column = _column(item, sql)
            columns[column.name.lower()] = column

    rest = found[found.index(body[-1]) + 1 :]
    options = [" ".join(token.keyword for token in item) for item in _split(rest)]
    return TableDefinition(columns, tuple(own), tuple(options))


def tokens(sql: str) -> list[Token]:
    """What a statement consists of, without spaces and comments."""
    return [
        Token(match.lastgroup or "", match[0], match.start(), match.end())
        for match in _token.finditer(sql)
        if match.lastgroup != "space"
    ]


def names_in(sql: str) -> set[str]:
    """The names in an expression or a statement, in lower case; keywords are among
    them.
    """
    return {token.name.lower() for token in tokens(sql) if token.name is not None}


def is_one_group(sql: str) -> bool:
    """Whether all of an expression is in the same parentheses."""
    found = tokens(sql)
    return next(_groups(found), None) == found


def rename_columns(
    sql: str, renamed: c.Mapping[str, str], table: str, start: int = 0
) -> str:
    """Rename columns in an expression, which has no names but those of one table.

    :param sql: The expression, or a statement that ends with it.
    :param renamed: The new names by the old ones in lower case.
    :param table: What may stand before a column's name, and is left out then.
    :param start: Where in the text the expression begins.
    """
    if not renamed and table.lower() not in names_in(sql[start:]):
        return sql

    found = [token for token in tokens(sql) if token.start >= start]
    parts = [sql[:start]]
    at = start

    for token, following in zip(found, [*found[1:], None], strict=True):
        name = (token.name or "").lower()
        sign = following.text if following else ""

        if name == table.lower() and sign == "." and following:
            parts.append(sql[at : token.start])
            at = following.end
        elif name in renamed and sign != "(":
            parts += [sql[at : token.start], quote(renamed[name])]
            at = token.end

    return "".join([*parts, sql[at:]])


def quote(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _column(item: list[Token], sql: str) -> Column:
    name = item[0].name or item[0].text.strip("'")
    rest = item[1:]
    first = next((n for n, token in enumerate(rest) if _begins(rest, n)), len(rest))
    type_ = sql[rest[0].start : rest[first - 1].end] if first else ""
    return Column(name, type_, tuple(_clauses(rest[first:], sql, name)))


def _clauses(
    item: c.Sequence[Token], sql: str, column: str | None
) -> c.Iterator[Constraint]:
    starts = [
        n
        for n, (_, depth) in enumerate(_nested(item))
        if not depth and _begins(item, n)
    ]
    name = None

    for start, end in itertools.pairwise([*starts, len(item)]):
        clause = tuple(item[start:end])
        kind = clause[0].keyword

        if kind == "CONSTRAINT":
            name = clause[1].name
            continue

        listed = next((_listed(group) for group in _groups(clause)), ())
        columns = listed if column is None else (column,)
        kind = "FOREIGN" if kind == "REFERENCES" else kind
        yield Constraint(kind, name, () if kind == "CHECK" else columns, clause, sql)
        name = None


def _begins(item: c.Sequence[Token], place: int) -> bool:
    """Whether a clause begins there."""
    keyword = item[place].keyword
    before = item[place - 1].keyword if place else ""
    following = item[place + 1].keyword if place + 1 < len(item) else ""

    if keyword == "NOT" and following != "NULL":
        return False

    if keyword == "REFERENCES" and any(t.keyword == "FOREIGN" for t in item[:place]):
        return False

    return keyword in _CLAUSES and (before, keyword) not in _PAIRS


def _nested(found: c.Iterable[Token]) -> c.Iterator[tuple[Token, int]]:
    """Each token and in how many parentheses it is; they are not in their own."""
    depth = 0

    for token in found:
        depth -= token.text == ")"
        yield token, depth
        depth += token.text == "("


def _groups(found: c.Sequence[Token]) -> c.Iterator[list[Token]]:
    """What is in parentheses, with these."""
    group: list[Token] = []

    for token, depth in _nested(found):
        if group or (token.text == "(" and not depth):
            group.append(token)

        if group and token.text == ")" and not depth:
            yield group
            group = []


def _split(found: c.Iterable[Token]) -> list[list[Token]]:
    """What is between commas."""
    items: list[list[Token]] = [[]]

    for token, depth in _nested(found):
        if token.text == "," and not depth:
            items.append([])
        else:
            items[-1].append(token)

    return [item for item in items if item]


def _listed(group: c.Sequence[Token]) -> tuple[str, ...]:
    """The names in a list in parentheses."""
    return tuple(item[0].name or item[0].text for item in _split(group[1:-1]))
