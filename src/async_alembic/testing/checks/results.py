from __future__ import annotations

import collections.abc as c


class CheckFailedError(AssertionError):
    """A check failed.

    :param message: What is wrong and how to fix it.
    :param details: Lines that show what is wrong.
    """

    def __init__(self, message: str, details: c.Iterable[str] = ()) -> None:
        super().__init__("\n".join([message, *(f"    {line}" for line in details)]))


class RevisionFailedError(CheckFailedError):
    """A check failed because of one revision.

    :param revision: The id of the revision.
    """

    def __init__(
        self, revision: str, message: str, details: c.Iterable[str] = ()
    ) -> None:
        super().__init__(message, details)
        self.revision = revision


class CheckSkippedError(Exception):
    """A check cannot run. The message gives the reason."""


def all_failures(failures: c.Sequence[CheckFailedError]) -> CheckFailedError:
    """Return one error that lists all failures."""
    if len(failures) == 1:
        return failures[0]

    return CheckFailedError(
        f"There are {len(failures)} failures.",
        [line for failure in failures for line in str(failure).splitlines()],
    )
