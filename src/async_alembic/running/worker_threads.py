"""Await a function that runs in a worker thread, or a time, on asyncio and on trio.

On asyncio, anyio is left out, because importing its backend takes longer than all else
that a process does at head.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import contextvars
import typing as t

from ..apps.current import loop_is_running

if t.TYPE_CHECKING:
    from concurrent.futures import Executor

T = t.TypeVar("T")
#: The threads that calls of a context take turns on; ``None`` for one for each call.
_shared: contextvars.ContextVar[Executor | None] = contextvars.ContextVar(
    "worker_threads", default=None
)


@contextlib.contextmanager
def shared_worker_threads(count: int) -> c.Iterator[contextvars.Context]:
    """Share threads between many short calls on asyncio. To start one takes longer than
    most of these calls do.

    :param count: How many calls there may be at once. The others wait.
    :return: The context of the calls.
    """
    from concurrent.futures import ThreadPoolExecutor

    context = contextvars.copy_context()

    with ThreadPoolExecutor(count, "async_alembic") as executor:
        context.run(_shared.set, executor)
        yield context


async def run_in_worker_thread(
    fn: c.Callable[[], T],
    on_cancel: c.Callable[[], object] | None = None,
) -> T:
    """Call a function in a thread of its own. However often the caller is cancelled,
    the cancellation is raised after the function has ended.

    :param fn: The function.
    :param on_cancel: Called when the caller is cancelled, so that the function ends.
    :return: The function's result.
    """
    if loop_is_running():
        return await _run_on_asyncio(fn, on_cancel)

    return await _run_on_trio(fn, on_cancel)


async def sleep(seconds: float) -> None:
    """Sleep for a number of seconds."""
    if loop_is_running():
        import asyncio

        await asyncio.sleep(seconds)
    else:
        import anyio

        await anyio.sleep(seconds)


async def _run_on_asyncio(
    fn: c.Callable[[], T], on_cancel: c.Callable[[], object] | None
) -> T:
    import asyncio
    import concurrent.futures

    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()

    if (shared := _shared.get()) is not None:
        future = loop.run_in_executor(shared, context.run, fn)
    else:
        # The loop's own threads are few, and a migration can wait in one for minutes.
        executor = concurrent.futures.ThreadPoolExecutor(1, "async_alembic")
        future = loop.run_in_executor(executor, context.run, fn)
        executor.shutdown(wait=False)

    try:
        await asyncio.wait([future])
    except asyncio.CancelledError:
        if on_cancel is not None:
            on_cancel()

        import anyio

        # One of anyio's scopes would cancel again and again.
        with anyio.CancelScope(shield=True):
            while not future.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([future])

        # The caller gets the cancellation instead.
        future.exception()
        raise

    return future.result()


async def _run_on_trio(
    fn: c.Callable[[], T], on_cancel: c.Callable[[], object] | None
) -> T:
    import anyio.to_thread

    outcome: list[T] = []
    failure: list[BaseException] = []
    finished = anyio.Event()

    async def run() -> None:
        try:
            outcome.append(await anyio.to_thread.run_sync(fn))
        except (Exception, SystemExit, KeyboardInterrupt) as e:
            # In a task group it would become one of a group.
            failure.append(e)
        finally:
            finished.set()

    # The task group waits for the thread, even if the caller is cancelled.
    async with anyio.create_task_group() as group:
        group.start_soon(run)

        try:
            await finished.wait()
        except BaseException:
            if on_cancel is not None:
                on_cancel()

            raise

    if failure:
        raise failure[0]

    return outcome[0]
