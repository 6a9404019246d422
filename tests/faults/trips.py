"""The round trips of an engine to its database: counted, and with a fault at one."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from typing import Literal
from typing import NamedTuple
from typing import TypeVar

from ..harness import AnyEngine

T = TypeVar("T")
Moment = Literal["before", "after"]

METHODS = [
    "connect",
    "do_begin",
    "do_close",
    "do_commit",
    "do_execute",
    "do_execute_no_params",
    "do_executemany",
    "do_rollback",
    "do_terminate",
    "reset_isolation_level",
    "set_isolation_level",
]


class At(NamedTuple):
    """Where a fault strikes.

    :param number: At which trip, from 0.
    :param moment: "before" it is made, or "after" the server did what was asked.
    """

    number: int
    moment: Moment


@dataclass
class Fault:
    """What happens at one round trip.

    :param at: Where, or None for a trial without a fault.
    :param strike: Is called once, in the thread that makes the trip.
    """

    at: At | None
    strike: Callable[[], object]
    struck: bool = False


class Trips:
    """Counts round trips, from the dialect of an engine.

    A copy of the engine has the same dialect, so that the trips of connections are
    counted which are opened beside the pool.
    """

    def __init__(self, engine: AnyEngine) -> None:
        self.made: list[str] = []
        self.watch: Callable[[], object] | None = None
        self._fault: Fault | None = None
        self._under_way = False
        dialect: Any = engine.dialect

        for name in METHODS:
            method = getattr(dialect, name)

            if name == "connect" and dialect.name == "sqlite":
                method = functools.partial(
                    method, factory=counted_connection(self._trip)
                )
            elif name == "connect" and dialect.driver == "asyncpg":
                method = functools.partial(
                    method, connection_class=counted_asyncpg_connection(self.awaited)
                )

            setattr(dialect, name, self._counting(name, method))

    @contextlib.contextmanager
    def counted(self, fault: Fault | None = None) -> Iterator[None]:
        """Count from zero, with a fault at one of the trips."""
        self.made = []
        self._fault = fault

        try:
            yield
        finally:
            self._fault = None

    def _counting(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def trip(*args: Any, **kwargs: Any) -> Any:
            statement = args[1] if name.startswith("do_execute") else ""
            label = f"{name} {statement}"
            return self._trip(label, lambda: method(*args, **kwargs))

        return trip

    def _trip(self, label: str, make: Callable[[], T]) -> T:
        if self._under_way:
            # Part of one: what the dialect calls of itself, or of the driver.
            return make()

        with self._made(label):
            return make()

    async def awaited(self, label: str, make: Callable[[], Awaitable[T]]) -> T:
        """Make a trip that is awaited, past the dialect."""
        if self._under_way:
            return await make()

        with self._made(label):
            return await make()

    @contextlib.contextmanager
    def _made(self, label: str) -> Iterator[None]:
        number = len(self.made)
        self.made.append(" ".join(label.split())[:80])
        self._under_way = True

        try:
            self._strike(At(number, "before"))

            try:
                yield
            except Exception:
                # That is an answer too.
                self._strike(At(number, "after"))
                raise

            self._strike(At(number, "after"))
        finally:
            self._under_way = False

        if self.watch is not None:
            self.watch()

    def _strike(self, here: At) -> None:
        fault = self._fault

        if fault is not None and fault.at == here:
            fault.struck = True
            fault.strike()


def counted_asyncpg_connection(count: Callable[..., Awaitable[Any]]) -> type[Any]:
    """What is sent past the dialect, as statements that return nothing are.

    :param count: Called with a label and with what makes the trip.
    """
    import asyncpg  # type: ignore[import-untyped]

    class Connection(asyncpg.Connection):  # type: ignore[misc]
        async def execute(self, query: str, *args: Any, **kwargs: Any) -> Any:
            execute = super().execute
            return await count(
                f"driver {query}", lambda: execute(query, *args, **kwargs)
            )

    return Connection


def counted_connection(
    count: Callable[[str, Callable[[], Any]], Any],
) -> type[sqlite3.Connection]:
    """What is sent past the dialect, through the driver's own cursor, as PRAGMAs are.

    :param count: Called with a label and with what makes the trip.
    """

    class Cursor(sqlite3.Cursor):
        def execute(self, sql: str, parameters: Any = ()) -> Any:
            return count(
                f"driver {sql}", lambda: sqlite3.Cursor.execute(self, sql, parameters)
            )

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

        def commit(self) -> None:
            count("driver commit", lambda: sqlite3.Connection.commit(self))

        def rollback(self) -> None:
            count("driver rollback", lambda: sqlite3.Connection.rollback(self))

    return Connection
