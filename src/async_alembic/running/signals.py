"""How a command is told to end: by Ctrl-C, or by SIGTERM, as containers and services
are.
"""

from __future__ import annotations

import asyncio
import collections.abc as c
import contextlib
import signal
import threading
import types
import typing as t

T = t.TypeVar("T")


class Interrupted(KeyboardInterrupt):
    """A signal ends a command, by what Ctrl-C raises.

    :ivar number: The signal; SIGINT is what Ctrl-C sends.
    """

    def __init__(self, number: signal.Signals) -> None:
        super().__init__()
        self.number = number


@contextlib.contextmanager
def ending(end: c.Callable[[signal.Signals], None]) -> c.Iterator[None]:
    """Have signals call a function that ends what runs meanwhile.

    :param end: Called in the main thread, between any two of its instructions.
    """

    def handle(number: int, frame: types.FrameType | None) -> None:
        end(signal.Signals(number))

    before: dict[signal.Signals, t.Any] = {}

    # Elsewhere, no handler can be set, and none is called.
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            # Ctrl-C is ignored by what a shell has started in the background.
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, handle)

    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def interrupting() -> contextlib.AbstractContextManager[None]:
    """Have signals raise :class:`Interrupted`, wherever the main thread is."""

    def end(number: signal.Signals) -> None:
        raise Interrupted(number)

    return ending(end)


def run_until_signal(work: c.Coroutine[t.Any, t.Any, T]) -> T:
    """Run a coroutine in an event loop of its own. A signal cancels it, and what comes
    after the first does not keep it from rolling back.

    :raises Interrupted: When it has ended because of a signal.
    """
    runner = asyncio.Runner()
    loop = runner.get_loop()
    task = loop.create_task(work)
    received: list[signal.Signals] = []
    is_told = False

    def cancel() -> None:
        nonlocal is_told
        is_told = task.cancel()

    def end(number: signal.Signals) -> None:
        received.append(number)

        # An exception that a handler raises between two tasks can break the loop.
        if len(received) == 1:
            loop.call_soon_threadsafe(cancel)
        elif not is_told and asyncio.current_task(loop) is not None:
            # The task blocks the loop.
            raise Interrupted(number)

    with ending(end), runner:
        try:
            return loop.run_until_complete(task)
        except asyncio.CancelledError:
            raise Interrupted(received[0]) from None
