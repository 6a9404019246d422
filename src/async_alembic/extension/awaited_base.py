"""Run a command from a coroutine."""

from __future__ import annotations

import threading
import typing as t

from ..running.imports import load
from ..running.worker_threads import run_in_worker_thread
from ..running.worker_threads import sleep
from .base import BaseAlembic

if t.TYPE_CHECKING:
    import collections.abc as c

    from ..apps.project import Project
    from ..running.dispatch import DatabaseCommand
    from ..running.dispatch import FilesCommand

P = t.ParamSpec("P")
T = t.TypeVar("T")
#: How long to wait before another attempt to write a revision, in seconds.
_WRITING_INTERVAL = 0.02


class AwaitedBase(BaseAlembic):
    """Runs commands, awaited."""

    _prefer_async = True

    async def _do_file_io(
        self, fn: c.Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a function that reads or writes files, in a worker thread."""
        return await run_in_worker_thread(lambda: fn(*args, **kwargs))

    async def _on_files(
        self, command: FilesCommand[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        app = self._app()
        return await run_in_worker_thread(
            lambda: command(self._project(app), *args, **kwargs)
        )

    async def _on_databases(
        self, command: DatabaseCommand[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        app = self._app()

        def prepare() -> Project:
            load(command)
            return self._project(app)

        project = await run_in_worker_thread(prepare)
        from ..running.dispatch import await_on_databases

        return await await_on_databases(
            project,
            self._registry.state(app).databases(app),
            command,
            *args,
            **kwargs,
        )

    async def _wait_for_turn(self) -> threading.Lock:
        """Wait until nobody else in this process writes a revision to the same folder.
        Two at once would have the same parent.
        """
        turn = self._writing_turn()

        while not turn.acquire(blocking=False):
            await self._sleep(_WRITING_INTERVAL)

        return turn

    async def _sleep(self, seconds: float) -> None:
        await sleep(seconds)
