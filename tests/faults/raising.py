"""Faults that are raised where they strike."""

from __future__ import annotations

import signal

from .endings import Ending
from .endings import upgrading
from .site import Site
from .trips import At
from .trips import Fault


class InjectedError(Exception):
    """No driver raises it, so that nothing is prepared for it."""


def raise_exception(site: Site, at: At | None) -> Ending:
    def strike() -> None:
        raise InjectedError

    with upgrading(site, Fault(at, strike), is_caused_by_ours) as ending:
        site.upgrade()
        ending.completed = True

    return ending


def interrupt(site: Site, at: At | None) -> Ending:
    """As by Ctrl+C: a private event loop has a handler of its own for it."""

    def strike() -> None:
        signal.raise_signal(signal.SIGINT)

    def is_interrupt(error: BaseException) -> bool:
        return isinstance(error, KeyboardInterrupt)

    # It may be ignored, as in a process in the background.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)

    try:
        with upgrading(site, Fault(at, strike), is_interrupt) as ending:
            site.upgrade()
            ending.completed = True
    finally:
        signal.signal(signal.SIGINT, handler)

    return ending


def is_caused_by_ours(error: BaseException | None) -> bool:
    """Whether the fault is told as the cause of an error."""
    while error is not None and not isinstance(error, InjectedError):
        error = error.__cause__ or error.__context__

    return error is not None
