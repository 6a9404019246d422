"""Makes the server refuse several statements in one text, as PyMySQL does.

aiomysql and asyncmy ask the server to accept them. If the second one failed, the first
one may have committed, and the journal could not tell how far the text got.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import re
import typing as t

from ..migrated import is_usable

if t.TYPE_CHECKING:
    import sqlalchemy as sa

#: The drivers that ask the server to accept them.
_ACCEPTING = {"aiomysql", "asyncmy"}
#: https://mariadb.com/kb/en/com_set_option/
_SET_OPTION = 0x1B
_ON, _OFF = b"\0\0", b"\1\0"
_COMMENTS = r"(?:\s+|/\*.*?\*/|--\s[^\n]*\n|#[^\n]*\n)*"


@contextlib.contextmanager
def refusing_several_statements(connection: sa.Connection) -> c.Iterator[None]:
    """Make the server refuse several statements in one text.

    :param connection: A connection of any driver.
    """
    if connection.dialect.driver not in _ACCEPTING:
        yield
        return

    _set_option(connection, _OFF)

    try:
        yield
    finally:
        if is_usable(connection):
            # The app may go on to use the connection.
            with contextlib.suppress(Exception):
                _set_option(connection, _ON)


def advice_on_several_statements(
    connection: sa.Connection, error: BaseException, message: str
) -> str | None:
    """Return what to write instead of several statements, if an error is about them.

    :param error: The error of a revision, about its syntax.
    :param message: What the server has said.
    """
    near = re.search(r"near '([^\s(;]+)", message)

    if near is None:
        return None

    follows = rf";{_COMMENTS}{re.escape(near[1])}"

    if not re.search(follows, str(getattr(error, "statement", "")), re.S):
        return None

    driver = connection.dialect.driver
    return (
        f"Write one op.execute() for each statement, because {driver} executes one at a"
        " time"
    )


def _set_option(connection: sa.Connection, value: bytes) -> None:
    adapted: t.Any = connection.connection.dbapi_connection

    async def send(driver_connection: t.Any) -> None:
        # There's no public way.
        await driver_connection._execute_command(_SET_OPTION, value)
        read = getattr(driver_connection, "read_packet", None)
        await (read or driver_connection._read_packet)()

    adapted.run_async(send)
