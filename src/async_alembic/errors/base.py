"""What all errors have in common."""

from __future__ import annotations


class AsyncAlembicError(RuntimeError):
    """The base of every error that this package raises on purpose."""


def first_line(error: BaseException) -> str:
    """The first line of an error's text with the statement that it names, if any, and
    without its parameters, which can hold secrets.
    """
    text = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    line = " ".join(text.splitlines()[0].split()).rstrip(".")
    statement = getattr(error, "statement", None)

    if statement:
        line += f", in [{' '.join(str(statement).split())[:500]}]"

    return line
