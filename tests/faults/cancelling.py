"""The ways to cancel an upgrade that is awaited."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from collections.abc import Coroutine
from typing import Any
from typing import TypeAlias

import anyio

from .endings import Ending
from .endings import upgrading
from .site import Site
from .trips import At
from .trips import Fault

#: Seconds. Longer than an upgrade takes, and less than drivers wait for a connection.
TIMEOUT = 30.0

Arm: TypeAlias = Callable[[Callable[[], object]], None]
#: Tells what cancels it, and awaits the upgrade. Returns whether that was completed.
Awaiting: TypeAlias = Callable[[Site, Arm], Coroutine[Any, Any, bool]]


async def await_task(site: Site, arm: Arm) -> bool:
    task = asyncio.ensure_future(site.alembic.upgrade())
    arm(task.cancel)

    with contextlib.suppress(asyncio.CancelledError):
        await task

    return not task.cancelled()


async def await_for(site: Site, arm: Arm) -> bool:
    arm(lambda: site.clock.jump(TIMEOUT))

    try:
        await asyncio.wait_for(site.alembic.upgrade(), TIMEOUT)
    except TimeoutError:
        return False

    return True


async def await_in_scope(site: Site, arm: Arm) -> bool:
    """AnyIO cancels again whatever is awaited from then on."""
    with anyio.CancelScope() as scope:
        arm(scope.cancel)
        await site.alembic.upgrade()

    return not scope.cancelled_caught


def cancelled(awaiting: Awaiting) -> Callable[[Site, At | None], Ending]:
    """Cancel an upgrade at one of its trips. The trip goes on, and is in flight when
    the cancellation arrives.
    """

    def run(site: Site, at: At | None) -> Ending:
        fault = Fault(at, lambda: None)

        def arm(cancel: Callable[[], object]) -> None:
            fault.strike = in_loop(site.runner.get_loop(), cancel)

        with upgrading(site, fault) as ending:
            ending.completed = site.runner.run(awaiting(site, arm))

        return ending

    return run


def in_loop(
    loop: asyncio.AbstractEventLoop, cancel: Callable[[], object]
) -> Callable[[], None]:
    """Call a function in the thread of a loop, from any thread, which goes on when the
    loop has seen to all that follows.
    """
    home = threading.get_ident()

    async def cancel_and_settle() -> None:
        cancel()

        for _ in range(5):
            await asyncio.sleep(0)

    def strike() -> None:
        if threading.get_ident() == home:
            cancel()
        else:
            asyncio.run_coroutine_threadsafe(cancel_and_settle(), loop).result(10)

    return strike
