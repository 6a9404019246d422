"""The tokens of SQL as SQLite reads it (https://www.sqlite.org/lang.html)."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import re

_token = re.compile(
    r"""
      (?P<space>   [ \t\n\v\f\r\ufeff]+ | --[^\n]* | /\*.*?(?:\*/|\Z) )
    | (?P<blob>    [xX]'[^']*' )
    | (?P<string>  '(?:[^']|'')*' )
    | (?P<quoted>  "(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\] )
    | (?P<word>    [A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]* )
    | (?P<number>  0[xX][0-9a-fA-F]+
                   | (?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9_]+)? )
    | (?P<sign>    [-+*/%=<>!|&~,;().] )
    """,
    re.VERBOSE | re.DOTALL,
)


class NotUnderstoodError(ValueError):
    """A part of a statement that SQLite understands, and we do not."""

    def __init__(self, sql: str) -> None:
        super().__init__(f"{sql[:80]!r} is not understood")


@dataclasses.dataclass(frozen=True)
class Token:
    """A word, a name, a literal or a sign, and its place in the SQL."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def keyword(self) -> str:
        """A word that is not quoted, in upper case, or a sign; else empty."""
        return self.text.upper() if self.kind in {"word", "sign"} else ""

    @property
    def name(self) -> str | None:
        """The name that this is, if it can be one. For SQLite, a string can."""
        if self.kind in {"quoted", "string"}:
            quote = {"[": "]"}.get(self.text[0], self.text[0])
            return self.text[1:-1].replace(quote * 2, quote)

        return self.text if self.kind == "word" else None


def tokens(sql: str) -> list[Token]:
    """Split SQL, and leave out spaces and comments.

    :raises NotUnderstoodError: For a character that begins no token.
    """
    found = []
    place = 0

    while match := _token.match(sql, place):
        place = match.end()

        if match.lastgroup != "space":
            found.append(Token(str(match.lastgroup), match[0], *match.span()))

    if place < len(sql):
        raise NotUnderstoodError(sql[place:])

    return found


def nested(found: c.Iterable[Token]) -> c.Iterator[tuple[Token, int]]:
    """Yield each token, and the number of parentheses around it."""
    depth = 0

    for token in found:
        depth -= token.text == ")"
        yield token, depth
        depth += token.text == "("


def groups(found: c.Iterable[Token]) -> c.Iterator[list[Token]]:
    """Yield what is in parentheses, with these."""
    group: list[Token] = []

    for token, depth in nested(found):
        if group or (token.text == "(" and not depth):
            group.append(token)

        if group and token.text == ")" and not depth:
            yield group
            group = []


def split(found: c.Iterable[Token]) -> list[list[Token]]:
    """Split at the commas that are in no parentheses."""
    items: list[list[Token]] = [[]]

    for token, depth in nested(found):
        if token.text == "," and not depth:
            items.append([])
        else:
            items[-1].append(token)

    return [item for item in items if item]


def fold(name: str) -> str:
    """Return what SQLite compares of a name: it knows the case of ASCII only."""
    return re.sub("[A-Z]+", lambda match: match[0].lower(), name)


def quote(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def literal(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def edit(sql: str, edits: c.Iterable[tuple[int, int, str]]) -> str:
    """Replace what is from a start to an end by a text, as often as there are such."""
    parts = []
    place = 0

    for start, end, text in sorted(edits):
        parts += [sql[place:start], text]
        place = end

    return "".join([*parts, sql[place:]])


def find_created(sql: str) -> tuple[str, str, str] | None:
    """Find what a statement creates.

    :return: ``TRIGGER`` or ``INDEX``, and the folded names of its schema and of itself.
        ``None`` for anything else, and for ``IF NOT EXISTS``.
    """
    try:
        found = tokens(sql)
    except NotUnderstoodError:
        return None

    words = [token.keyword for token in found]
    place = 2 if {"UNIQUE", "TEMP", "TEMPORARY"}.intersection(words[1:2]) else 1

    if (
        len(found) < 6
        or words[0] != "CREATE"
        or words[place] not in {"TRIGGER", "INDEX"}
        or words[place + 1 : place + 3] == ["IF", "NOT"]
    ):
        return None

    schema = "temp" if words[1].startswith("TEMP") else "main"
    name = found[place + 1]

    if words[place + 2] == ".":
        schema, name = name.name or "", found[place + 3]

    return words[place], fold(schema), fold(name.name or "")
