"""Copies of a template that are made before tests need them."""

from __future__ import annotations

import typing as t
from collections import deque

from .copies import Copy
from .copies import InMemoryCopy

if t.TYPE_CHECKING:
    from concurrent.futures import Future

    from .shared_server import SharedServer

#: How many copies to make in advance.
_PREFETCH_COUNT = 2


class CopyPrefetcher:
    """Makes copies of a template, some of them before tests need them.

    :param shared_server: The server.
    :param template: The name of the template, or ``None`` for empty databases.
    """

    def __init__(self, shared_server: SharedServer, template: str | None) -> None:
        self._shared_server = shared_server
        self._template = template
        self._prefetched: deque[Future[str]] = deque()
        self._used_count = 0
        shared_server.before_close(self.drop_prefetched)

    def next_copy(self, *, in_memory: bool) -> Copy:
        """Return a copy that is not used yet.

        :param in_memory: Whether the copy may be lost with its connection.
        """
        if in_memory and self._shared_server.in_memory:
            return InMemoryCopy(self._shared_server, self._template)

        return Copy(self._shared_server, self._next_name())

    def _next_name(self) -> str:
        future = self._prefetched.popleft() if self._prefetched else None

        if future is None or future.cancel():
            # A copy that is still queued may be behind copies of other templates.
            name = self._shared_server.copy(self._template)
        else:
            name = future.result()

        # The first copy prefetches none: many templates are copied only once.
        in_worker = self._shared_server.server.copy_in_worker
        wanted = min(_PREFETCH_COUNT, self._used_count) if in_worker else 0

        while len(self._prefetched) < wanted:
            future = self._shared_server.copy_in_background(self._template)
            self._prefetched.append(future)

        self._used_count += 1
        return name

    def drop_prefetched(self) -> None:
        """Drop the copies that no test used."""
        for future in self._prefetched:
            if not future.cancel():
                self._shared_server.drop(future.result())

        self._prefetched.clear()
