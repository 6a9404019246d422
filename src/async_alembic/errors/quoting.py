"""Quotes an error in one line."""

from __future__ import annotations

import collections.abc as c
import traceback

from .base import AsyncAlembicError

_MAX_LENGTH = 500

#: How many names a sentence has.
_MOST_NAMES = 10


def listed(names: c.Sequence[str]) -> str:
    """Return names in quotes, and how many more there are."""
    more = len(names) - _MOST_NAMES
    shown = ", ".join(f"'{name}'" for name in names[:_MOST_NAMES])
    return f"{shown} and {more} more" if more > 0 else shown


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, and the lines that begin with "-",
    with the server's DETAIL and HINT, and with its SQL statement if there is one.
    Leaves out the parameters, which can contain secrets.
    """
    original = getattr(error, "orig", None) or error
    text = str(original).strip() or type(error).__name__
    first, *others = text.splitlines()
    # Firebird says only in those what is wrong.
    lines = [first, *(line[1:] for line in others if line.startswith("-"))]
    lines += _notes_of_server(original)
    quoted = "; ".join(" ".join(line.split()).rstrip(".") for line in lines)
    statement = getattr(error, "statement", None)

    if statement:
        quoted += f", in {quote_statement(str(statement))}"

    return quoted


def with_class(error: BaseException) -> str:
    """Return the first line of an error, with its class if the message needs it. The
    messages of databases do not.
    """
    line = first_line(error)

    if hasattr(error, "orig") or isinstance(error, AsyncAlembicError):
        return line

    name = type(error).__name__
    return line if line == name else f"{name}: {line}"


def quote_statement(statement: str) -> str:
    """Return a statement in one line, in brackets."""
    return f"[{_in_one_line(statement)}]"


def line_in(path: str, error: BaseException) -> int | None:
    """Return the last line of a file that an error has passed, counted from 1."""
    frames = traceback.walk_tb(error.__traceback__)
    lines = [line for frame, line in frames if frame.f_code.co_filename == path]
    return lines[-1] if lines else None


def _notes_of_server(error: BaseException | None) -> c.Iterator[str]:
    """Yield what PostgreSQL says beside the message of an error."""
    while error is not None:
        # Of psycopg and psycopg2; asyncpg has attributes of the error itself.
        diagnostics = getattr(error, "diag", None)
        notes = {
            "DETAIL": getattr(diagnostics, "message_detail", None)
            or getattr(error, "detail", None),
            "HINT": getattr(diagnostics, "message_hint", None)
            or getattr(error, "hint", None),
        }
        found = [
            f"{label}: {_in_one_line(note)}"
            for label, note in notes.items()
            if note and isinstance(note, str)
        ]

        if found:
            yield from found
            return

        error = error.__cause__


def _in_one_line(text: str) -> str:
    return " ".join(text.split())[:_MAX_LENGTH]
