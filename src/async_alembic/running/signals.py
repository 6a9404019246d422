"""Stop a command on Ctrl-C, or on SIGTERM, which containers and services receive."""

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
    """A signal stopped a command.

    :ivar number: The signal; SIGINT for Ctrl-C.
    """

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(
            "Interrupted. Changes that were not committed were rolled back."
        )
        self.number = number


@contextlib.contextmanager
def handle_signals(callback: c.Callable[[signal.Signals], None]) -> c.Iterator[None]:
    """Call a function on SIGINT and SIGTERM.

    :param callback: Called in the main thread, between any two of its instructions.
    """

    def handle(number: int, frame: types.FrameType | None) -> None:
        callback(signal.Signals(number))

    previous: dict[signal.Signals, t.Any] = {}

    # Only the main thread can set and call handlers.
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            # A background job of a shell ignores SIGINT, and has to keep ignoring it.
            if signal.getsignal(number) is not signal.SIG_IGN:
                previous[number] = signal.signal(number, handle)

    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def raise_on_signal() -> contextlib.AbstractContextManager[None]:
    """Raise :class:`Interrupted` in the main thread on SIGINT and SIGTERM."""

    def interrupt(number: signal.Signals) -> None:
        raise Interrupted(number)

    return handle_signals(interrupt)


def run_until_signal(work: c.Coroutine[t.Any, t.Any, T]) -> T:
    """Run a coroutine in a new event loop. The first signal cancels it, and later ones
    do not interrupt its rollback.

    :raises Interrupted: After the coroutine was cancelled by a signal.
    """
    runner = asyncio.Runner()
    loop = runner.get_loop()
    task = loop.create_task(work)
    received: list[signal.Signals] = []
    cancel_requested = False

    def cancel() -> None:
        nonlocal cancel_requested
        cancel_requested = task.cancel()

    def on_signal(number: signal.Signals) -> None:
        received.append(number)

        # Raising in the handler between two tasks can break the loop.
        if len(received) == 1:
            loop.call_soon_threadsafe(cancel)
        elif not cancel_requested and asyncio.current_task(loop) is not None:
            # The task blocks the loop.
            raise Interrupted(number)

    with handle_signals(on_signal), runner:
        try:
            return loop.run_until_complete(task)
        except asyncio.CancelledError:
            raise Interrupted(received[0]) from None
