"""Alembic's and SQLAlchemy's errors, as those of this package."""

from __future__ import annotations

import collections.abc as c
import contextlib
import re
import traceback

import alembic.script.revision
from alembic.script.revision import MultipleHeads
from alembic.script.revision import ResolutionError
from alembic.script.revision import RevisionError as AlembicRevisionError
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from . import errors

_too_few = re.compile(r"didn't produce (\d+) migrations")


@contextlib.contextmanager
def translated_errors() -> c.Iterator[None]:
    """Raise Alembic's and SQLAlchemy's errors as those of this package."""
    try:
        yield
    except (CommandError, AlembicRevisionError) as e:
        cause = e.__cause__ or e

        if isinstance(cause, ResolutionError):
            if str(cause).startswith("Multiple revisions start"):
                raise errors.AmbiguousRevisionError(str(cause.argument)) from e

            raise errors.RevisionNotFoundError(str(cause.argument)) from e

        if isinstance(cause, MultipleHeads):
            raise errors.MultipleHeadsError(cause.heads) from e

        if match := _too_few.search(str(cause)):
            raise errors.RevisionError(
                f"There are fewer than {match[1]} revisions in that direction. Use"
                " 'heads' to go up all the way, or 'base' to go down."
            ) from e

        raise errors.RevisionError(f"{errors.first_line(e)}.") from e
    except AssertionError as e:
        if not _is_from_alembic(e):
            raise

        raise errors.RevisionError(
            "The target cannot be reached from where the database is. 'db log' lists"
            " the revisions that there are, and 'db current' shows where it is."
        ) from e
    except SQLAlchemyError as e:
        raise errors.DatabaseError(e) from e


def _is_from_alembic(error: BaseException) -> bool:
    """Whether Alembic asserts what a user got wrong, such as ``"head+1"``."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return last.filename == alembic.script.revision.__file__
