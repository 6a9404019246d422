"""What makes measuring coverage cheap, and keeps CPython 3.11 from hanging meanwhile.

For each thread, coverage has an index of the greenlets that it has seen. It is asked
twice for each call of a function, anywhere.
"""

from __future__ import annotations

import gc
import itertools
import operator
import sys
import weakref
from typing import Any

import greenlet  # type: ignore[import-untyped]

_numbers = itertools.count()


class GreenletIndex(weakref.WeakKeyDictionary[Any, Any]):
    """A weak dictionary that becomes another class when its first key is a greenlet: it
    then keeps each value in an attribute of the greenlet, which C code finds.

    So no greenlet needs a weak reference that calls Python when it is gone. When a
    thread ends, its greenlet goes as a pending call of the main thread. If another
    thread ends meanwhile, there is one more pending call. Before it begins to trace a
    function, CPython 3.11 makes them again and again, without success while it is at
    one. So none may call Python.
    """

    def __setitem__(self, key: Any, value: Any) -> None:
        if not self and isinstance(key, greenlet.greenlet):
            self.__class__ = _make_class()
            self[key] = value
        else:
            super().__setitem__(key, value)


def _make_class() -> Any:
    attribute = f"index_of_coverage_{next(_numbers)}"

    def set_item(self: Any, key: Any, value: Any) -> None:
        setattr(key, attribute, value)

    # Not bound to the index, as it is no function: it is called with the greenlet only.
    get_item = operator.attrgetter(attribute)
    body = {"__getitem__": get_item, "__setitem__": set_item}
    return type("AttributeIndex", (GreenletIndex,), body)


def trace_cheaply() -> None:
    """Let the indexes of coverage be such ones: that of this thread, which it has made
    already, and those that it will make.
    """
    if "coverage" not in sys.modules:
        return

    this = greenlet.getcurrent()

    for index in gc.get_objects():
        if type(index) is weakref.WeakKeyDictionary and this in index:
            found = dict(index)
            index.__class__ = _make_class()

            for key, value in found.items():
                index[key] = value

    vars(weakref)["WeakKeyDictionary"] = GreenletIndex
