from __future__ import annotations

import collections.abc as c


class CheckFailedError(AssertionError):
    """Something is wrong with a history or a test.

    :param sentence: What is wrong, and the way out.
    :param evidence: The lines that show it.
    """

    def __init__(self, sentence: str, evidence: c.Iterable[str] = ()) -> None:
        super().__init__("\n".join([sentence, *(f"    {line}" for line in evidence)]))


class Impossible(Exception):
    """A check cannot be made, and why."""
