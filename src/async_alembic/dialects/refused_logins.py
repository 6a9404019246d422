"""Tells a login that is refused from a server that cannot be reached for a while."""

from __future__ import annotations

import re

#: PostgreSQL: wrong passwords, other refusals, and databases that do not exist.
_SQLSTATES = {"28000", "28P01", "3D000"}
#: MySQL: no access to the database, a wrong password, and no such database.
_NUMBERS = {1044, 1045, 1049}
#: psycopg and psycopg2 have no code while they connect.
_texts = re.compile(
    r'password authentication failed|(?:database|role) ".*" does not exist'
)


def is_login_refused(error: BaseException | None) -> bool:
    """Return whether an error or one of its causes means that a server refuses the
    login, so that it is of no use to try again.
    """
    while error is not None:
        code = getattr(error, "sqlstate", None)

        if code in _SQLSTATES or error.args[:1] and error.args[0] in _NUMBERS:
            return True

        if _texts.search(str(error)):
            return True

        error = error.__cause__ or error.__context__

    return False
