"""Splits a text into statements.

As in ``psql``, a semicolon ends a statement unless it is quoted, in a comment, in
parentheses, or in the body of a function in SQL
(https://www.postgresql.org/docs/current/sql-syntax-lexical.html).
"""

from __future__ import annotations

import collections.abc as c
import dataclasses
import re
import typing as t

_TOKEN = r"""
  (?P<space>    \s+ | --[^\r\n]* )
| (?P<comment>  /\* )
| (?P<dollar>   \$(?:[^\W\d][^\W]*)?\$ )
| (?P<escapes>  [eE]' )
| (?P<string>   (?:[nNbBxX]|[uU]&)?' )
| (?P<name>     (?:[uU]&)?"(?:[^"]|"")*(?:"|\Z) )
| (?P<word>     [^\W\d][\w$]* )
| (?P<number>   \d[\w.]* )
| (?P<other>    . )
"""
_token = re.compile(_TOKEN, re.VERBOSE | re.DOTALL)
_comment_edge = re.compile(r"/\*|\*/")
_end_of_string = re.compile(r"(?:[^']|'')*(?:'|\Z)", re.DOTALL)
_end_with_escapes = re.compile(r"(?:[^'\\]|\\.|'')*(?:'|\\?\Z)", re.DOTALL)
#: A string may continue on another line.
_continuation = re.compile(r"(?:[^\S\r\n]|--[^\r\n]*)*[\r\n](?:\s|--[^\r\n]*)*'")
_first_word = re.compile(r"\s*([a-zA-Z]+)\b(?!['\"&$])")
#: The error for :attr:`Statement.is_copy`.
NO_COPY = (
    "COPY cannot read from or write to the client in a migration; use op.bulk_insert()"
    " or a SELECT instead"
)
_routine = re.compile(r"CREATE( OR REPLACE)? (FUNCTION|PROCEDURE)\b")


@dataclasses.dataclass(frozen=True)
class Statement:
    """A statement of a text.

    :param text: The statement, without whitespace and comments around it.
    :param backslashes: See :func:`split`.
    """

    text: str
    backslashes: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """The unquoted words, in upper case."""
        tokens = _tokens(self.text, self.backslashes)
        return tuple(token.text.upper() for token in tokens if token.kind == "word")

    @property
    def first_word(self) -> str:
        """The first of the words; empty if there are none."""
        found = _first_word.match(self.text)
        return found[1].upper() if found else next(iter(self.words), "")

    @property
    def is_copy(self) -> bool:
        """Whether it is ``COPY`` from or to the client, not a file on the server."""
        return self.first_word == "COPY" and not {"STDIN", "STDOUT"}.isdisjoint(
            self.words
        )


def split(text: str, *, backslashes: bool = False) -> list[Statement]:
    """Split a text into its statements.

    :param text: The text. Quotes and comments that are not closed extend to the end.
    :param backslashes: Whether a backslash is an escape character in every string, as
        with ``standard_conforming_strings=off``.
    :return: The statements, without empty ones.
    """
    if ";" not in text and _first_word.match(text):
        return [Statement(text.strip(), backslashes)]

    found: list[Statement] = []
    statement = _StatementBuilder(backslashes)

    for token in _tokens(text, backslashes):
        if token.text == ";" and not statement.is_open:
            found += statement.build(text)
            statement = _StatementBuilder(backslashes)
        else:
            statement.add(token)

    return found + statement.build(text)


class _Token(t.NamedTuple):
    kind: str
    text: str
    start: int
    end: int


class _StatementBuilder:
    """Collects the tokens of a statement."""

    def __init__(self, backslashes: bool) -> None:
        self._backslashes = backslashes
        self._words: list[str] = []
        self._start: int | None = None
        self._end = self._parentheses = self._blocks = 0

    @property
    def is_open(self) -> bool:
        """Whether a semicolon would be part of the statement."""
        return self._parentheses > 0 or self._blocks > 0

    def add(self, token: _Token) -> None:
        self._start = token.start if self._start is None else self._start
        self._end = token.end

        if token.text == "(":
            self._parentheses += 1
        elif token.text == ")":
            self._parentheses = max(self._parentheses - 1, 0)
        elif token.kind == "word":
            self._words.append(token.text.upper())
            self._count_blocks()

    def build(self, text: str) -> list[Statement]:
        if self._start is None:
            return []

        return [Statement(text[self._start : self._end], self._backslashes)]

    def _count_blocks(self) -> None:
        word = self._words[-1]

        if self._parentheses or word not in {"BEGIN", "CASE", "END"}:
            return

        # Outside of a routine, BEGIN is a statement.
        if _routine.match(" ".join(self._words[:4])):
            if word == "END":
                self._blocks = max(self._blocks - 1, 0)
            elif word == "BEGIN" or self._blocks:
                self._blocks += 1


def _tokens(text: str, backslashes: bool) -> c.Iterator[_Token]:
    position = 0

    while found := _token.match(text, position):
        start, position = position, _end_of_token(text, found, backslashes)

        if found.lastgroup not in {"space", "comment"}:
            yield _Token(found.lastgroup or "", found[0], start, position)


def _end_of_token(text: str, found: re.Match[str], backslashes: bool) -> int:
    end = found.end()

    match found.lastgroup:
        case "comment":
            return _end_of_comment(text, end)
        case "dollar":
            closing = text.find(found[0], end)
            return len(text) if closing < 0 else closing + len(found[0])
        case "escapes":
            return _end_of_quotes(text, end, _end_with_escapes)
        case "string":
            pattern = _end_with_escapes if backslashes else _end_of_string
            return _end_of_quotes(text, end, pattern)

    return end


def _end_of_comment(text: str, position: int) -> int:
    depth = 1

    # Comments can be nested.
    while depth and (edge := _comment_edge.search(text, position)):
        depth += 1 if edge[0] == "/*" else -1
        position = edge.end()

    return len(text) if depth else position


def _end_of_quotes(text: str, position: int, pattern: re.Pattern[str]) -> int:
    while match := pattern.match(text, position):
        position = match.end()

        if not (more := _continuation.match(text, position)):
            break

        position = more.end()

    return position
