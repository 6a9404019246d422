"""The kinds of fault."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass

from .cancelling import await_for
from .cancelling import await_in_scope
from .cancelling import await_task
from .cancelling import cancelled
from .endings import Ending
from .raising import interrupt
from .raising import raise_exception
from .site import Site
from .trips import At
from .trips import Moment
from .zygote import FaultZygote

BOTH: Sequence[Moment] = ("before", "after")
#: A cancellation arrives when the trip is under way.
BEFORE: Sequence[Moment] = ("before",)
#: What is dead before a trip has died after the one before it.
AFTER: Sequence[Moment] = ("after",)


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    :param upgrade: Upgrades, with the fault somewhere, or without one.
    :param moments: When it strikes, at every trip.
    :param is_raised: Whether it is raised where it strikes.
    """

    name: str
    upgrade: Callable[[Site, At | None], Ending]
    moments: Sequence[Moment] = BOTH
    is_raised: bool = False

    def places(self, trips: list[str]) -> Iterator[At]:
        """Where it strikes."""
        for number, trip in enumerate(trips):
            for moment in self.moments:
                if not (self.is_raised and loses_connection(trip, moment)):
                    yield At(number, moment)


def loses_connection(trip: str, moment: Moment) -> bool:
    """Whether nobody could close a connection if something was raised here, or the pool
    would lose it.
    """
    at_end = ("do_close", "do_terminate", "reset_isolation_level")
    return trip.startswith(at_end) or (trip.startswith("connect") and moment == "after")


def make_kinds(zygote: FaultZygote) -> dict[str, Kind]:
    """The kinds, by their names."""
    kinds = [
        Kind("exception", raise_exception, is_raised=True),
        Kind("interrupt", interrupt, AFTER, is_raised=True),
        Kind("task.cancel()", cancelled(await_task), BEFORE),
        Kind("asyncio.wait_for", cancelled(await_for), BEFORE),
        Kind("anyio.CancelScope", cancelled(await_in_scope), BEFORE),
        Kind("SIGKILL", zygote.kill, AFTER),
    ]
    return {kind.name: kind for kind in kinds}
