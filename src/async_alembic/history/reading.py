"""Read one file as a revision, and report why it cannot be read. Alembic is imported
only if the file must be imported.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import time
import traceback
import typing as t

from ..errors import first_line
from ..errors import RevisionFileError
from .graph import line_of
from .headers import header_of
from .headers import read_header

if t.TYPE_CHECKING:
    from types import ModuleType

    from .headers import Header
    from .listing import Folders

#: Matches every revision file, whatever its style.
_ASSIGNS_REVISION = r"(?m)^revision\s*[:=]|\bdown_revision\b[^=\n]*=(?!=)"
#: The name of a file without ``revision``: Alembic still takes the id from the name.
_LEGACY_NAME = r"(?:.*[/\\])?(?P<revision>[a-f0-9]+)\.py"
#: Bytes to read at once, more than nearly every file has.
_CHUNK = 2**14
#: As in Alembic: they would have another meaning in a target.
_ILLEGAL = frozenset("@-+")


class ParsedFile(t.NamedTuple):
    """The result of reading a revision file.

    :param header: The header.
    :param module: The module, if the file had to be imported to read the header.
    """

    header: Header
    module: ModuleType | None


def read_revision(folders: Folders, path: str) -> ParsedFile | None:
    """Read a file, if it is a revision.

    :param folders: The folders that contain the file.
    :param path: The path of the file.
    :return: The header and perhaps the module, or ``None`` if it is not a revision.
    :raises RevisionFileError: If the file has to be imported and the import fails, or
        if its id is invalid.
    """
    try:
        parsed = _read(folders, path)
    except (Exception, SystemExit) as e:
        if not os.path.exists(path):
            # Removed since the folder was listed.
            return None

        raise file_error(path, e) from e

    if parsed is not None:
        _check_id(path, parsed.header.revision)

    return parsed


def assigns_revision(path: str) -> bool:
    """Whether a file looks like a revision, of any style."""
    try:
        return bool(re.search(_ASSIGNS_REVISION, _read_bytes(path).decode("latin-1")))
    except OSError:
        return False


def _check_id(path: str, revision: object) -> None:
    reason = None

    if not isinstance(revision, str):
        reason = f"'revision' must be a string, not {revision!r}. Correct it."
    elif not revision:
        reason = "'revision' is empty. Give it an id."
    elif not _ILLEGAL.isdisjoint(revision):
        listed = ", ".join(sorted(_ILLEGAL.intersection(revision)))
        reason = f"the id '{revision}' must not contain {listed}. Choose another id."

    if reason is not None:
        raise RevisionFileError(path, line_of(path, "revision"), reason)


def _read(folders: Folders, path: str) -> ParsedFile | None:
    if path.endswith(".py"):
        source = _read_bytes(path)

        if (header := read_header(source, path)) is not None:
            return ParsedFile(header, None)

        if _is_not_revision(folders, path, source):
            return None
    elif os.path.exists(path[:-1]):
        # Bytecode that has a source file.
        return None

    module = import_file(path)

    if not hasattr(module, "revision") and (named := re.fullmatch(_LEGACY_NAME, path)):
        module.revision = named["revision"]  # type: ignore[attr-defined]

    return ParsedFile(header_of(module), module)


def _read_bytes(path: str) -> bytes:
    """Return the content of a file, with half as many system calls as ``open()``."""
    file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))

    try:
        parts = [os.read(file, _CHUNK)]

        while len(parts[-1]) == _CHUNK:
            parts.append(os.read(file, _CHUNK))
    finally:
        os.close(file)

    return b"".join(parts)


def import_file(path: str) -> ModuleType:
    """Import a file, as Alembic does."""
    from alembic.util import load_python_file

    _remove_fresh_bytecode(path)
    return load_python_file(*os.path.split(path))


def _is_not_revision(folders: Folders, path: str, source: bytes) -> bool:
    """Whether a file is in the folder of ``env.py`` and is not a revision."""
    folder = os.path.dirname(path)
    main = os.path.realpath(folders.main)

    if not folders.recursive and folder != main:
        return False

    if not os.path.join(folder, "").startswith(os.path.join(main, "")):
        return False

    text = source.decode(folders.encoding, errors="replace")
    return path.endswith(f"{os.sep}env.py") or not re.search(_ASSIGNS_REVISION, text)


def _remove_fresh_bytecode(path: str) -> None:
    """Remove the bytecode of a file that was just written. Python does not notice a
    second edit within the same second if the size stays the same.
    """
    with contextlib.suppress(OSError):
        if time.time() - os.stat(path).st_mtime < 2:
            os.unlink(importlib.util.cache_from_source(path))


def _line_in_traceback(error: BaseException, path: str) -> int | None:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == path]
    return lines[-1] if lines else None


def file_error(path: str, error: BaseException) -> RevisionFileError:
    line = getattr(error, "lineno", None) or _line_in_traceback(error, path)
    text = error.msg if isinstance(error, SyntaxError) else first_line(error)
    advice = "Correct the file."

    if line is None:
        line = line_of(path, "revision")
        advice = "It needs the string 'revision' and a 'down_revision'."

    return RevisionFileError(path, line, f"{type(error).__name__}: {text}. {advice}")
