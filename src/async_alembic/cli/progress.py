"""Shows the revisions while they run, from a thread of its own. Whatever is slow or
broken at the other end of the output holds up neither the migration nor an event loop.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import functools
import queue
import threading
import time
import typing as t

import click

from .. import signals
from .colour import style_id
from .invocation import Invocation
from .output import echo
from .progress_lines import make_line

if t.TYPE_CHECKING:
    from ..results import LockHolder

#: How often a line is drawn again, in seconds.
INTERVAL = 1.0


@contextlib.contextmanager
def shown_progress() -> c.Iterator[None]:
    """Show what the current command runs, unless ``--quiet`` is given."""
    context = click.get_current_context()
    invocation = Invocation.of(context)

    if invocation.quiet or invocation.json:
        yield
        return

    progress = Progress(context.color)

    with progress.connected_to(invocation.app):
        try:
            yield
        except Exception:
            progress.end("failed")
            raise
        except BaseException:
            # Nobody may read it any more.
            progress.end("interrupted", timeout=INTERVAL)
            raise
        else:
            progress.end()


class Progress:
    """Receives the signals of a migration, and lets a thread show what they say.

    :param color: Whether to print in colour; ``None`` for on a terminal only.
    """

    def __init__(self, color: bool | None) -> None:
        self._color = color
        self._is_broken = False
        self._are_several = False
        self._line = make_line(self._print)
        #: What the thread has to do; ``None`` to end.
        self._tasks: queue.SimpleQueue[c.Callable[[], None] | None]
        self._tasks = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def connected_to(self, app: object) -> c.Iterator[None]:
        """Receive the signals of an app."""
        receivers: dict[t.Any, c.Callable[..., None]] = {
            signals.migrations_waiting: self._on_waiting,
            signals.migrations_started: self._on_all_started,
            signals.revision_started: self._on_started,
            signals.revision_applied: self._on_applied,
        }

        if self._line.is_live:
            receivers[signals.statement_changed] = self._on_statement

        with contextlib.ExitStack() as stack:
            for signal, receiver in receivers.items():
                stack.enter_context(signal.connected_to(receiver, sender=app))

            yield

    def end(self, reason: str = "", timeout: float | None = None) -> None:
        """Wait until all is shown.

        :param reason: Why the running revision has ended, if one runs.
        :param timeout: How long to wait, in seconds; ``None`` for no limit.
        """
        if self._thread is not None:
            self._tasks.put(functools.partial(self._line.abort, reason))
            self._tasks.put(None)
            self._thread.join(timeout)

    def _on_waiting(
        self,
        sender: object,
        *,
        database: str,
        seconds: float,
        holder: LockHolder | None,
        **extra: object,
    ) -> None:
        text = f"waiting for database '{database}'"
        since = time.monotonic() - seconds
        self._do(self._line.wait, text, str(holder or "unknown"), since)

    def _on_all_started(
        self, sender: object, *, databases: tuple[str, ...], **extra: object
    ) -> None:
        self._are_several = len(databases) > 1

    def _on_started(
        self,
        sender: object,
        *,
        database: str,
        direction: str,
        revision: str,
        message: str,
        number: int,
        total: int,
        **extra: object,
    ) -> None:
        # That of a revision that has failed, and is retried.
        self._line.statement = None
        name = f"[{database}] " if self._are_several else ""
        count = f"{number} of {total}: " if total > 1 else ""
        described = ", ".join(filter(None, (revision, message)))
        text = style_id(f"{name}{count}{direction} {described}", revision)
        self._do(self._line.start, text)

    def _on_applied(self, sender: object, *, seconds: float, **extra: object) -> None:
        self._do(self._line.finish, seconds)

    def _on_statement(
        self, sender: object, *, statement: str | None, **extra: object
    ) -> None:
        self._line.statement = (statement, time.monotonic()) if statement else None

    def _do(self, task: c.Callable[..., None], *args: t.Any) -> None:
        """Let the thread do something."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name="async_alembic.progress", daemon=True
            )
            self._thread.start()

        self._tasks.put(functools.partial(task, *args))

    def _run(self) -> None:
        while True:
            try:
                task = self._tasks.get(timeout=INTERVAL)
            except queue.Empty:
                task = self._line.redraw

            if task is None:
                return

            task()

    def _print(self, text: str, *, nl: bool = True) -> None:
        """Print a text. If that fails, as on a full disk or a closed pipe, nothing more
        is printed.
        """
        if self._is_broken:
            return

        try:
            echo(text, nl=nl, color=self._color)
        except (OSError, ValueError):
            self._is_broken = True
