"""How an upgrade with a fault ended."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field

from .site import Site
from .trips import Fault


@dataclass
class Ending:
    """How an upgrade with a fault ended.

    :param completed: Whether it returned, be it in spite of the fault.
    :param struck: Whether there was a fault.
    :param trips: The trips that were made.
    :param complaint: What is wrong with how it told of the fault.
    """

    completed: bool = False
    struck: bool = False
    trips: list[str] = field(default_factory=list)
    complaint: str | None = None


@contextlib.contextmanager
def upgrading(
    site: Site,
    fault: Fault,
    is_expected: Callable[[BaseException], bool] = lambda error: False,
) -> Iterator[Ending]:
    """Have a fault in the upgrade that is made meanwhile, and see what it raises."""
    ending = Ending()

    with site.trips.counted(fault):
        try:
            yield ending
        except BaseException as error:
            if not is_expected(error):
                if isinstance(error, KeyboardInterrupt):
                    # Somebody has really pressed Ctrl+C.
                    raise

                ending.complaint = f"raised {described(error)}"

    ending.struck = fault.struck
    ending.trips = [*site.trips.made]


def described(error: BaseException) -> str:
    first, *_ = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {first}"
