"""Alembic's and SQLAlchemy's errors, as those of this package."""

from __future__ import annotations

import collections.abc as c
import contextlib
import traceback
from types import ModuleType

import alembic.runtime.migration
import alembic.script.revision
from alembic.script.revision import MultipleHeads
from alembic.script.revision import ResolutionError
from alembic.script.revision import RevisionError as AlembicRevisionError
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from .. import errors

_too_few = (
    "There are fewer revisions than that in that direction. Use 'heads' to go up all"
    " the way, or 'base' to go down."
)
_ambiguous = (
    "The history branches there, so that a number of steps can mean several revisions."
    " Name the revision to go to; 'db log' lists them."
)
_unreachable = (
    "The target cannot be reached from where the database is. 'db current' shows where"
    " it is, and 'db log' lists the revisions that there are."
)
_no_range = (
    "There is no way from the start up to the end. Give a start that the end follows;"
    " 'db log' lists the revisions in their order."
)
#: Alembic's words that name no way out, and what is said instead.
_sentences = {
    "didn't produce": _too_few,
    "Walked too far": _too_few,
    "Ambiguous": _ambiguous,
    "is not a valid": _unreachable,
    "is not an ancestor": _no_range,
    "does not refer to ancestor/descendant": _no_range,
}

_alembic_files = {alembic.script.revision.__file__, alembic.runtime.migration.__file__}


@contextlib.contextmanager
def converted_errors() -> c.Iterator[None]:
    """Raise Alembic's and SQLAlchemy's errors as those of this package."""
    try:
        yield
    except (CommandError, AlembicRevisionError) as e:
        raise _translate(e) from e
    except (AssertionError, KeyError) as e:
        if not _is_from_alembic(e):
            raise

        raise errors.RevisionError(_unreachable) from e
    except AttributeError as e:
        if e.name not in {"upgrade", "downgrade"} or not isinstance(e.obj, ModuleType):
            raise

        raise errors.RevisionFileError(
            str(e.obj.__file__), 1, f"it needs a function '{e.name}'."
        ) from e
    except SQLAlchemyError as e:
        raise errors.DatabaseError(e) from e


def _is_from_alembic(error: BaseException) -> bool:
    """Whether Alembic stumbles over what a user got wrong, such as ``"head+1"``."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return last.filename in _alembic_files


def _translate(error: Exception) -> errors.RevisionError:
    # What Alembic's commands raise has the precise error as its cause.
    cause = error.__cause__
    cause = cause if isinstance(cause, AlembicRevisionError) else error
    text = str(cause)

    if isinstance(cause, MultipleHeads):
        return errors.MultipleHeadsError(cause.heads)

    if isinstance(cause, ResolutionError):
        if text.startswith("Multiple revisions start"):
            return errors.AmbiguousRevisionError(str(cause.argument))

        if text.startswith("No such"):
            return errors.RevisionNotFoundError(str(cause.argument))

    for words, sentence in _sentences.items():
        if words in text or words in str(error):
            return errors.RevisionError(sentence)

    return errors.RevisionError(f"{errors.first_line(cause)}.")
