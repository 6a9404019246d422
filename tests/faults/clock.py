"""Time that passes when it is told to."""

from __future__ import annotations

import asyncio


class Clock:
    """Makes the clock of an event loop jump, so that nothing waits for a timeout."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._time = loop.time
        self._jumped = 0.0
        loop.time = self._now  # type: ignore[method-assign]

    def jump(self, seconds: float) -> None:
        """Make all timers due that would have gone off meanwhile."""
        self._jumped += seconds

    def _now(self) -> float:
        return self._time() + self._jumped
