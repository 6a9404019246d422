"""A terminal that a command writes to in this process."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
import threading
import tty
from collections.abc import Iterator
from typing import Any

import pytest

COLUMNS = 60
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


class Terminal:
    """What is written to a terminal, and what is on its screen then."""

    def __init__(self) -> None:
        self._reading_end, writing_end = pty.openpty()
        # So that the end of a line is written as it is.
        tty.setraw(writing_end)
        self.stdout = io.TextIOWrapper(os.fdopen(writing_end, "wb", 0), "utf-8")
        self._written = b""
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        # The terminal is gone when its other end is closed.
        with contextlib.suppress(OSError):
            while chunk := os.read(self._reading_end, 4096):
                with self._changed:
                    self._written += chunk
                    self._changed.notify_all()

        os.close(self._reading_end)

    @property
    def written(self) -> str:
        return self._written.decode(errors="replace")

    def run(self, app: Any, *args: str) -> None:
        """Run a command of the group on this terminal."""
        with contextlib.redirect_stdout(self.stdout):
            app.cli.commands["db"].main(args, standalone_mode=False)

    def wait_for(self, text: str) -> None:
        """Wait until a text, without its colours, has been written."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: text in ESCAPE.sub("", self.written), 20
            ), self.written

    def close(self) -> None:
        if not self.stdout.closed:
            self.stdout.close()
            self._thread.join()

    @property
    def screen(self) -> list[str]:
        """The lines that are left on the screen, without their colours."""
        return screen(self.written)


def screen(written: str) -> list[str]:
    """What is left on a terminal after a text was written to it."""
    lines = ESCAPE.sub("", written).replace("\r\n", "\n").split("\n")
    return [_overwritten(line) for line in lines if _overwritten(line)]


def _overwritten(line: str) -> str:
    shown = ""

    for text in line.split("\r"):
        shown = text + shown[len(text) :]

    return shown.rstrip()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A terminal, and no environment that says what it is to look like."""
    terminal = Terminal()
    monkeypatch.setenv("COLUMNS", str(COLUMNS))

    for name in "NO_COLOR", "FORCE_COLOR", "TERM":
        monkeypatch.delenv(name, raising=False)

    yield terminal
    terminal.close()
