"""Copies of a template, some of which are made before they are needed."""

from __future__ import annotations

import typing as t
from collections import deque

from .copies import Copy
from .copies import CopyInMemory

if t.TYPE_CHECKING:
    from concurrent.futures import Future

    from .shared_server import SharedServer

#: How many copies are made before they are needed.
_AHEAD = 2


class Stock:
    """Copies of a template, some of which are made before they are needed.

    :param host: The server.
    :param template: The name of the template, if they are not empty.
    """

    def __init__(self, host: SharedServer, template: str | None) -> None:
        self._host = host
        self._template = template
        self._ahead: deque[Future[str]] = deque()
        self._taken = 0
        host.before_close(self.clear)

    def copy(self, *, in_memory: bool) -> Copy:
        """Get one that nobody else has.

        :param in_memory: Whether it may be gone with its connection.
        """
        if in_memory and self._host.in_memory:
            return CopyInMemory(self._host, self._template)

        return Copy(self._host, self._take())

    def _take(self) -> str:
        copy = self._ahead.popleft() if self._ahead else None

        if copy is None or copy.cancel():
            # What waits may be behind the copies for others.
            name = self._host.copy(self._template)
        else:
            name = copy.result()

        # Not for those of whom there is one.
        wanted = min(_AHEAD, self._taken) if self._host.server.is_slow else 0

        while len(self._ahead) < wanted:
            self._ahead.append(self._host.copy_later(self._template))

        self._taken += 1
        return name

    def clear(self) -> None:
        """Drop what nobody has taken."""
        for copy in self._ahead:
            if not copy.cancel():
                self._host.drop_later(copy.result())

        self._ahead.clear()
