"""How a command is told to end: by Ctrl-C, or by SIGTERM, as containers and services
are.
"""

from __future__ import annotations

import signal
import threading
import types
import typing as t


class EndedAsByCtrlC:
    """While this is entered, SIGTERM raises what Ctrl-C does, so that a transaction is
    rolled back and a lock released.

    :ivar received: The signal that has ended the command, if one has; SIGINT is what
        Ctrl-C sends.
    """

    def __init__(self) -> None:
        self.received: signal.Signals = signal.SIGINT
        self._before: t.Any = None

    def __enter__(self) -> EndedAsByCtrlC:
        # Elsewhere, no handler can be set, and none is called.
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._interrupt)

        return self

    def __exit__(self, *error: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    def _interrupt(self, number: int, frame: types.FrameType | None) -> None:
        self.received = signal.Signals(number)

        # As in what a shell has started in the background.
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            raise KeyboardInterrupt

        # An event loop has a handler of its own for it.
        signal.raise_signal(signal.SIGINT)
