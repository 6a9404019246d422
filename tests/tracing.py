"""What keeps CPython 3.11 from hanging while coverage is measured."""

from __future__ import annotations

import sys
import weakref
from typing import Any


class GreenletIndex(weakref.WeakKeyDictionary[Any, Any]):
    """Forgets what is gone without calling Python.

    Coverage has one for the greenlets of each thread. When a thread ends, its greenlet
    goes as a pending call of the main thread. If another thread ends meanwhile, there
    is one more pending call. Before it begins to trace a function, CPython 3.11 makes
    them again and again, without success while it is at one. So none may be called.
    """

    def __setitem__(self, key: Any, value: Any) -> None:
        references: dict[Any, Any] = vars(self)["data"]
        references[weakref.ref(key, references.pop)] = value


def let_threads_end() -> None:
    """Let the indexes that coverage makes from now on be such ones."""
    if sys.version_info < (3, 12) and "coverage" in sys.modules:
        vars(weakref)["WeakKeyDictionary"] = GreenletIndex
