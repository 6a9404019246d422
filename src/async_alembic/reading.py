"""How one file becomes a revision, and what is said if it does not."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import time
import traceback
import typing as t
from pathlib import Path

from alembic.script import Script
from alembic.script.revision import DependencyLoopDetected
from alembic.script.revision import LoopDetected

from .errors import first_line
from .errors import RevisionFileError
from .history import line_of

if t.TYPE_CHECKING:
    from alembic.script import ScriptDirectory

#: What every revision file has, however it is written.
_assigns_revision = re.compile(
    r"^revision\s*[:=]|\bdown_revision\b[^=\n]*=(?!=)", re.MULTILINE
)


def read_revision(scripts: ScriptDirectory, path: Path) -> Script | None:
    """Read a file, if it is a revision.

    :param scripts: The script directory that it is in.
    :param path: The file.
    :raises RevisionFileError: If it cannot be imported.
    """
    try:
        if _is_other_file(scripts, path):
            return None

        _forget_bytecode(path)
        # There's no public way to make a Script of a file.
        script = Script._from_path(scripts, path)
    except LoopDetected as e:
        dependency = isinstance(e, DependencyLoopDetected)
        key = "depends_on" if dependency else "down_revision"
        raise RevisionFileError(
            path,
            line_of(path, key),
            f"revision {e.revisions[0]} follows itself. Correct '{key}'.",
        ) from e
    except (Exception, SystemExit) as e:
        if not path.exists():
            # Removed since the folder was listed.
            return None

        line = getattr(e, "lineno", None) or _line_in_traceback(e, path)
        text = e.msg if isinstance(e, SyntaxError) else first_line(e)
        way_out = "Correct the file."

        if line is None:
            line = line_of(path, "revision")
            way_out = "It needs a text 'revision', and a 'down_revision'."

        raise RevisionFileError(
            path, line, f"{type(e).__name__}: {text}. {way_out}"
        ) from e

    if script is not None and not script.revision:
        raise RevisionFileError(
            path, line_of(path, "revision"), "its 'revision' is empty. Give it one."
        )

    return script


def _is_other_file(scripts: ScriptDirectory, path: Path) -> bool:
    """Whether a file lies beside ``env.py`` and is no revision."""
    main = Path(scripts.dir).resolve()

    if path.suffix != ".py" or main not in path.parents:
        return False

    if path.parent != main and not scripts.recursive_version_locations:
        return False

    text = path.read_text(scripts.output_encoding, errors="replace")
    return path.name == "env.py" or not _assigns_revision.search(text)


def _forget_bytecode(path: Path) -> None:
    """Remove the bytecode of a file that was just written. Python would not see that it
    is edited again within the same second, if its size stays the same.
    """
    with contextlib.suppress(OSError):
        if time.time() - path.stat().st_mtime < 2:
            os.unlink(importlib.util.cache_from_source(path))


def _line_in_traceback(error: BaseException, path: Path) -> int | None:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return lines[-1] if lines else None
