"""Await what the receivers of a signal return."""

from __future__ import annotations

import asyncio
import collections.abc as c
import concurrent.futures
import contextvars
import typing as t

from ..apps.current import loop_is_running

T = t.TypeVar("T")


async def awaited(awaitable: c.Awaitable[object]) -> None:
    """Await what a receiver returned. A cancellation that nobody has asked for is an
    error of the receiver, and does not cancel the caller.

    :raises RuntimeError: If the receiver was cancelled, but not the caller.
    """
    try:
        await awaitable
    except asyncio.CancelledError as e:
        task = asyncio.current_task()

        if task is not None and task.cancelling():
            raise

        raise RuntimeError("The receiver was cancelled.") from e


class CallerLoop:
    """Awaits in a worker thread what runs on the caller's event loop, of asyncio or of
    trio. It is created on that loop.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop() if loop_is_running() else None
        self._future: concurrent.futures.Future[None] | None = None
        self._is_cancelled = False

    def wait_for(self, awaitable: c.Awaitable[object]) -> None:
        if self._loop is None:
            import anyio.from_thread

            # Raises trio's cancellation by itself.
            anyio.from_thread.run(awaited, awaitable)
            return

        main = awaited(awaitable)
        self._future = asyncio.run_coroutine_threadsafe(main, self._loop)

        if self._is_cancelled:
            self._future.cancel()

        self._future.result()

    def cancel(self) -> None:
        """Cancel what is awaited now, and whatever will be."""
        self._is_cancelled = True

        if self._future is not None:
            self._future.cancel()


def await_in_own_loop(awaitable: c.Awaitable[object]) -> None:
    """Await what a receiver returned, in an event loop of its own."""
    run_coroutine(awaited(awaitable))


def run_coroutine(main: c.Coroutine[t.Any, t.Any, T]) -> T:
    """Run a coroutine in a new event loop; in another thread if one runs in this."""
    if not loop_is_running():
        return asyncio.run(main)

    context = contextvars.copy_context()

    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        return executor.submit(context.run, asyncio.run, main).result()
