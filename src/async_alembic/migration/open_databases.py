"""What a runner hands to the core: the open databases, and what the core may not do by
itself, as it knows no engine, event loop or thread.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import dataclasses
import typing as t

if t.TYPE_CHECKING:
    import sqlalchemy as sa

#: Calls a function that reads or writes files, where that may block.
Offload: t.TypeAlias = c.Callable[[c.Callable[[], t.Any]], t.Any]


@dataclasses.dataclass(frozen=True)
class OpenDatabases:
    """The databases, for the time of one call.

    :param connections: An open connection to each database, by its name.
    :param offload: Calls a function that reads or writes files, where that may block.
    :param sleep: Waits for some seconds, and ends early, with an exception, if the call
        is cancelled.
    :param pause: Lets others run, if that was not done for a while; to be called by
        what computes, every now and then.
    :param connect: Opens one more connection to the database of a name, which does not
        come from the app's pool, and closes it.
    """

    connections: dict[str, sa.Connection]
    offload: Offload
    sleep: c.Callable[[float], None]
    pause: c.Callable[[], None]
    connect: c.Callable[[str], contextlib.AbstractContextManager[sa.Connection]]
