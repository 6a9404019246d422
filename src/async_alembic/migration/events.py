"""Sends the signals of a migration, and logs what they say."""

from __future__ import annotations

import collections.abc as c
import contextlib
import inspect
import logging
import typing as t

from sqlalchemy import event

from .. import signals

if t.TYPE_CHECKING:
    import blinker
    import sqlalchemy as sa

    from ..results import LockHolder
    from .environment import Environment

log: logging.Logger = logging.getLogger("async_alembic")


def send(env: Environment, signal: blinker.NamedSignal, **data: t.Any) -> None:
    """Send a signal to its receivers, and await those that are coroutine functions.
    What a receiver raises is logged, so that it neither stops the migration nor keeps
    other receivers from being called.

    :param env: The files and the open databases.
    :param signal: The signal.
    :param data: What the receivers get.
    """
    sender = env.project.sender

    if sender is None or signal.is_muted:
        return

    # Others may connect while one is awaited.
    for receiver in [*signal.receivers_for(sender)]:
        try:
            result = receiver(sender, **data)

            if inspect.isawaitable(result):
                env.databases.wait_for(result)
        except Exception:
            log.exception("A receiver of '%s' failed: %r.", signal.name, receiver)


class CallEvents:
    """The signals of one upgrade or downgrade.

    :param env: The files and the open databases.
    :param direction: ``"upgrade"`` or ``"downgrade"``.
    """

    def __init__(self, env: Environment, direction: str) -> None:
        self._env = env
        self.direction = direction
        self._has_started = False

    def start_revision(self, **revision: t.Any) -> None:
        if not self._has_started:
            self._has_started = True
            self._send(signals.migrations_started, databases=(*self._env.names,))

        self._send(signals.revision_started, **revision)

    def end_revision(self, **revision: t.Any) -> None:
        self._send(signals.revision_applied, **revision)

    def finish(self, applied: c.Mapping[str, c.Iterable[str]]) -> None:
        """Send that all is committed, unless nothing was to be done.

        :param applied: The ids of the revisions that were run, by the name of the
            database.
        """
        if not self._has_started:
            return

        revisions = {name: (*ids,) for name, ids in applied.items() if ids}
        self._send_at_end(signals.migrations_finished, revisions=revisions)

    @contextlib.contextmanager
    def failure_sent(self) -> c.Iterator[None]:
        """Send it if the migration fails, once it is rolled back."""
        try:
            yield
        except Exception as e:
            self._send_at_end(signals.migration_failed, error=e)
            raise

    def _send_at_end(self, signal: blinker.NamedSignal, **data: t.Any) -> None:
        time_limit = self._env.databases.time_limit
        # It is for closing, not for receivers.
        time_limit.stop()

        try:
            self._send(signal, **data)
        finally:
            time_limit.start()

    def _send(self, signal: blinker.NamedSignal, **data: t.Any) -> None:
        send(self._env, signal, direction=self.direction, **data)


@contextlib.contextmanager
def statements_sent(env: Environment, name: str) -> c.Iterator[None]:
    """Send the statements that a connection executes, if anybody listens.

    :param env: The files and the open databases.
    :param name: The name of the database.
    """
    sender = env.project.sender

    if sender is None or not signals.statement_changed.has_receivers_for(sender):
        yield
        return

    connection = env.connection(name)
    # A statement is recorded by others, which are executed in the middle of it.
    running: list[str] = []

    def start(connection: t.Any, cursor: t.Any, statement: str, *args: t.Any) -> None:
        running.append(statement)
        tell()

    def end(*args: t.Any) -> None:
        if running:
            running.pop()
            tell()

    def fail(context: sa.ExceptionContext) -> None:
        if context.connection is connection:
            end()

    def tell() -> None:
        statement = running[-1] if running else None
        send(env, signals.statement_changed, database=name, statement=statement)

    with contextlib.ExitStack() as stack:
        for target, identifier, listener in (
            (connection, "before_cursor_execute", start),
            (connection, "after_cursor_execute", end),
            (connection.engine, "handle_error", fail),
        ):
            event.listen(target, identifier, listener)
            stack.callback(event.remove, target, identifier, listener)

        yield


@signals.migrations_waiting.connect
def _log_waiting(
    sender: object,
    *,
    database: str,
    seconds: float,
    holder: LockHolder | None,
    **extra: object,
) -> None:
    log.warning(
        "Still waiting after %.0f s for database '%s', which another session is"
        " migrating: %s.",
        seconds,
        database,
        holder or "unknown",
    )


@signals.revision_applied.connect
def _log_applied(
    sender: object,
    *,
    database: str,
    direction: str,
    revision: str,
    message: str,
    seconds: float,
    **extra: object,
) -> None:
    log.info(
        "Database '%s': %s %s, %s (%.2f s)",
        database,
        direction,
        revision,
        message,
        seconds,
    )
