"""The line of the revision that runs, on a terminal and elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
import typing as t
import unicodedata

from .colour import style_aside
from .colour import style_done
from .colour import style_failed

#: How long a statement has to take before it is shown, in seconds.
SLOW_STATEMENT = 1.0
#: How much of it is looked at, in characters.
MAX_STATEMENT = 1000
_escape = re.compile(r"(\x1b\[[0-9;]*m)")


class Print(t.Protocol):
    def __call__(self, text: str, *, nl: bool = True) -> None: ...


def make_line(print: Print) -> Line:
    """Return the kind of line that the output can show."""
    try:
        is_live = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    except (AttributeError, ValueError):
        # There is no output, or it is closed.
        is_live = False

    return LiveLine(print) if is_live else Line(print)


class Line:
    """One line for each revision: its start, and how long it took.

    :param print: Prints a text.
    """

    #: Whether it shows what happens while a revision runs.
    is_live = False
    #: The statement that is executed, and since when.
    statement: tuple[str, float] | None = None

    def __init__(self, print: Print) -> None:
        self._print = print
        self._is_open = False

    def start(self, text: str) -> None:
        # It was rolled back, and is retried.
        self.abort("failed")
        self._is_open = True
        self._print(text, nl=False)

    def finish(self, seconds: float) -> None:
        self._is_open = False
        self._print(style_done(f" ({format_time(seconds)})"))

    def abort(self, reason: str) -> None:
        """End the line of a revision that has not finished, if there is one."""
        if self._is_open:
            self._is_open = False
            self._print(style_failed(f" {reason}"))

    def wait(self, text: str, holder: str, since: float) -> None:
        """Show what is waited for."""

    def redraw(self) -> None:
        """Show how long it takes."""


class LiveLine(Line):
    """A line with a clock and the statement that takes long."""

    is_live = True

    def __init__(self, print: Print) -> None:
        super().__init__(print)
        self._text = self._rest = ""
        self._since = 0.0
        self._width = 0

    def start(self, text: str) -> None:
        self.abort("failed")
        self._is_open = True
        self._show(text, "", time.monotonic())

    def finish(self, seconds: float) -> None:
        self._end(style_done(f" ({format_time(seconds)})"))

    def abort(self, reason: str) -> None:
        if self._is_open:
            self._end(style_failed(f" {reason}"))
        elif self._text:
            self._text = ""
            self._draw("")
            # The next text begins where the line did.
            self._draw("")

    def wait(self, text: str, holder: str, since: float) -> None:
        self._show(text, f": {holder}", since)

    def redraw(self) -> None:
        if not self._text:
            return

        now = time.monotonic()
        rest = self._rest

        # Another thread changes it.
        if (current := self.statement) and now - current[1] >= SLOW_STATEMENT:
            rest = style_aside(f" [{' '.join(current[0][:MAX_STATEMENT].split())}]")

        columns = shutil.get_terminal_size().columns - 1
        clock = f" ({now - self._since:.0f} s)" if now - self._since >= 1 else ""
        text = _cut(self._text, columns - len(clock)) + clock
        self._draw(_cut(text + rest, columns))

    def _show(self, text: str, rest: str, since: float) -> None:
        self._text, self._rest, self._since = text, rest, since
        self.redraw()

    def _end(self, end: str) -> None:
        self._draw(f"{self._text}{end}")
        self._print("")
        self._is_open = False
        self._text = ""
        self._width = 0

    def _draw(self, text: str) -> None:
        """Draw over what the line was."""
        width = _width(text)
        self._print(f"\r{text}{' ' * (self._width - width)}", nl=False)
        self._width = width


def format_time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _width(text: str) -> int:
    """Return how many columns a text takes."""
    return sum(map(_columns, _escape.sub("", text)))


def _columns(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _cut(text: str, columns: int) -> str:
    """Cut a text to a number of columns, and replace what would move the cursor."""
    parts = []

    for part in _escape.split(text):
        if not _escape.fullmatch(part):
            part = part[: max(columns, 0)]
            part = "".join(c if c.isprintable() else "?" for c in part)

            while _width(part) > columns:
                part = part[:-1]

            columns -= _width(part)

        parts.append(part)

    return "".join(parts)
