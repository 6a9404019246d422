from __future__ import annotations

import collections.abc as c


class CheckFailedError(AssertionError):
    """A check failed.

    :param message: What is wrong and how to fix it.
    :param details: Lines that show what is wrong.
    """

    def __init__(self, message: str, details: c.Iterable[str] = ()) -> None:
        super().__init__("\n".join([message, *(f"    {line}" for line in details)]))


class CheckSkippedError(Exception):
    """A check cannot run. The message gives the reason."""
