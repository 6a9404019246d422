"""How an error is quoted in one line."""

from __future__ import annotations

import pytest

from async_alembic.errors import first_line


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            # Firebird's client, here 3.0.11.
            'Unable to complete network request to host "localhost".\n'
            "-Failed to establish a connection.",
            'Unable to complete network request to host "localhost"; Failed to'
            " establish a connection",
        ),
        (
            "Dynamic SQL Error\n-SQL error code = -204\n-Table unknown\n-USERS",
            "Dynamic SQL Error; SQL error code = -204; Table unknown; USERS",
        ),
        (
            'relation "users" does not exist\nLINE 1: SELECT * FROM users\n  ^\n',
            'relation "users" does not exist',
        ),
        ("(1146, \"Table 'shop.users' doesn't exist\")",) * 2,
        ("", "RuntimeError"),
    ],
)
def test_it_says_what_is_wrong(message: str, line: str) -> None:
    assert first_line(RuntimeError(message)) == line
