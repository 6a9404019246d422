"""The base of all errors, and how to quote an error in one line."""

from __future__ import annotations


class AsyncAlembicError(RuntimeError):
    """The base of every error that this package raises deliberately."""


def is_connection_lost(error: BaseException | None) -> bool:
    """Return whether an error or one of its causes means that a connection was lost, as
    SQLAlchemy found. Drivers have too many codes for it, or none.
    """
    while error is not None:
        if getattr(error, "connection_invalidated", False):
            return True

        error = error.__cause__ or error.__context__

    return False


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, and the lines that begin with "-",
    with its SQL statement if there is one. Leaves out the parameters, which can contain
    secrets.
    """
    text = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    first, *others = text.splitlines()
    # Firebird says only in those what is wrong.
    lines = [first, *(line[1:] for line in others if line.startswith("-"))]
    quoted = "; ".join(" ".join(line.split()).rstrip(".") for line in lines)
    statement = getattr(error, "statement", None)

    if statement:
        quoted += f", in [{' '.join(str(statement).split())[:500]}]"

    return quoted
