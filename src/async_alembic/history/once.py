"""What takes long to make."""

from __future__ import annotations

import collections.abc as c
import threading
import typing as t

T = t.TypeVar("T")


class Once(t.Generic[T]):
    """Something that is made when it is first asked for, by one thread, while others
    wait for it.

    :param make: Makes it.
    """

    def __init__(self, make: c.Callable[[], T]) -> None:
        self._make = make
        self._made: list[T] = []
        self._lock = threading.Lock()

    def get(self) -> T:
        with self._lock:
            if not self._made:
                self._made.append(self._make())

            return self._made[0]
