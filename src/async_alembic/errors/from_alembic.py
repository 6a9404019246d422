"""Convert Alembic's and SQLAlchemy's errors to those of this package."""

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

from .. import errors

_too_few = (
    "There are not that many revisions in this direction. Use 'heads' to upgrade all"
    " the way, or 'base' to downgrade all the way."
)
_ambiguous = (
    "The number of steps is ambiguous because the history branches. Name the target"
    " revision; 'db log' lists the revisions."
)
_unreachable = (
    "The target cannot be reached from the database's current revision. 'db current'"
    " shows the current revision, and 'db log' lists the revisions."
)
_no_range = (
    "The start revision is not an ancestor of the end revision. Give a start that comes"
    " before the end; 'db log' lists the revisions in order."
)
_overlapping = (
    "The version table has a revision together with one that it follows. 'db current'"
    " shows them. 'db stamp --purge REVISION' keeps the later one only."
)
#: Fragments of Alembic's messages that suggest no fix, and the messages to use instead.
_messages = {
    "didn't produce": _too_few,
    "Walked too far": _too_few,
    "Ambiguous": _ambiguous,
    "is not a valid": _unreachable,
    "is not an ancestor": _no_range,
    "does not refer to ancestor/descendant": _no_range,
    "overlaps with": _overlapping,
}

_alembic_files = {alembic.script.revision.__file__, alembic.runtime.migration.__file__}


@contextlib.contextmanager
def converted_errors() -> c.Iterator[None]:
    """Raise Alembic's and SQLAlchemy's errors as those of this package."""
    try:
        with errors.converted_database_errors():
            yield
    except (CommandError, AlembicRevisionError) as e:
        raise _translate(e) from e
    except (AssertionError, KeyError) as e:
        if not _raised_in_alembic(e):
            raise

        raise errors.RevisionError(_unreachable) from e
    except AttributeError as e:
        if e.name not in {"upgrade", "downgrade"} or not isinstance(e.obj, ModuleType):
            raise

        raise errors.RevisionFileError(
            str(e.obj.__file__), 1, f"it must define the function '{e.name}'."
        ) from e


def _raised_in_alembic(error: BaseException) -> bool:
    """Whether Alembic's own code failed, on invalid input such as ``"head+1"``."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return last.filename in _alembic_files


def _translate(error: Exception) -> errors.RevisionError:
    # Alembic's commands raise an error whose cause is the precise one.
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

    for words, sentence in _messages.items():
        if words in text or words in str(error):
            return errors.RevisionError(sentence)

    return errors.RevisionError(f"{errors.first_line(cause)}.")
