"""Raises the errors of asyncpg as the classes that psycopg2 raises."""

from __future__ import annotations

import collections.abc as c
import contextlib
import typing as t

#: The class of an error, by the first two characters of its SQLSTATE
#: (https://www.psycopg.org/docs/errors.html#sqlstate-exception-classes).
_ERROR_CLASSES = {
    **dict.fromkeys(["0A"], "NotSupportedError"),
    **dict.fromkeys(["20", "21", "3D", "3F", "42", "44"], "ProgrammingError"),
    **dict.fromkeys(["22"], "DataError"),
    **dict.fromkeys(["23"], "IntegrityError"),
    **dict.fromkeys(
        ["24", "25", "2B", "2D", "2F", "38", "39", "3B", "F0", "P0", "XX"],
        "InternalError",
    ),
    **dict.fromkeys(
        ["08", "26", "27", "28", "34", "40", "53", "54", "55", "57", "58", "HV"],
        "OperationalError",
    ),
}


@contextlib.contextmanager
def psycopg2_errors(dbapi: t.Any) -> c.Iterator[None]:
    """Raise errors as the classes that psycopg2 raises.

    :param dbapi: SQLAlchemy's :pep:`249` module for the driver.
    """
    try:
        yield
    except dbapi.Error as e:
        name = _ERROR_CLASSES.get((getattr(e, "sqlstate", None) or "")[:2], "Error")
        error_class: type[BaseException] = getattr(dbapi, name)

        if isinstance(e, error_class):
            raise

        # Attributes and constructor depend on SQLAlchemy's version.
        error = error_class.__new__(error_class, *e.args)
        vars(error).update(vars(e))
        raise error from e.__cause__
