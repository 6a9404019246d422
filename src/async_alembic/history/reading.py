"""How one file becomes a revision, and what is said if it does not."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import threading
import time
import traceback
import typing as t

from alembic.script import Script
from alembic.script.revision import Revision
from alembic.util import load_python_file
from alembic.util import to_tuple

from ..errors import first_line
from ..errors import RevisionFileError
from .graph import line_of
from .headers import header_of
from .headers import read_header

if t.TYPE_CHECKING:
    from types import ModuleType

    from alembic.script import ScriptDirectory

    from .headers import Header

#: What every revision file has, however it is written.
_assigns_revision = re.compile(
    r"^revision\s*[:=]|\bdown_revision\b[^=\n]*=(?!=)", re.MULTILINE
)
#: A file without ``revision``, whose name is its id, as Alembic takes it still.
_legacy = re.compile(r"(?:.*[/\\])?(?P<revision>[a-f0-9]+)\.py")
#: How many bytes of a file to read at once: more than nearly all have.
_CHUNK = 2**16
#: One module at a time, as others may want the same one.
_importing = threading.RLock()


class Reading(t.NamedTuple):
    """What was read of a revision file.

    :param header: Its header.
    :param module: Its module, if it took an import to read the header.
    """

    header: Header
    module: ModuleType | None


class RevisionFile(Script):
    """A revision whose file was read. Its module is imported when it is used.

    :param path: The file.
    :param reading: What was read of it.
    """

    def __init__(self, path: str, reading: Reading) -> None:
        header, module = reading
        # Script's own takes all of this from the module.
        super(Script, self).__init__(
            header.revision,
            t.cast("t.Any", header.down_revision),
            branch_labels=to_tuple(header.branch_labels, default=()),
            dependencies=to_tuple(header.depends_on, default=()),
        )
        self.path = path
        self.header = header
        self._module = module

    @property
    def module(self) -> ModuleType:  # type: ignore[override]
        """The module, which is imported if it was not.

        :raises RevisionFileError: If that fails.
        """
        if self._module is None:
            with _importing:
                if self._module is None:
                    self._module = self._import()

        return self._module

    @property
    def longdoc(self) -> str:
        """The docstring of the file."""
        return (self.header.doc or "").strip()

    def _import(self) -> ModuleType:
        try:
            module = _import(self.path)
            header = header_of(module)
        except (Exception, SystemExit) as e:
            raise _file_error(self.path, e) from e

        if header[:4] != self.header[:4]:
            raise RevisionFileError(
                self.path,
                line_of(self.path, "revision"),
                "it was edited while it was read. Try again.",
            )

        return module


def read_revision(scripts: ScriptDirectory, path: str) -> Reading | None:
    """Read a file, if it is a revision.

    :param scripts: The script directory that it is in.
    :param path: The file.
    :raises RevisionFileError: If it takes an import to read the file, and that fails,
        or if its id cannot be one.
    """
    try:
        reading = _read(scripts, path)

        if reading is not None:
            Revision.verify_rev_id(reading.header.revision)
    except (Exception, SystemExit) as e:
        if not os.path.exists(path):
            # Removed since the folder was listed.
            return None

        raise _file_error(path, e) from e

    if reading is not None and not reading.header.revision:
        raise RevisionFileError(
            path, line_of(path, "revision"), "its 'revision' is empty. Give it one."
        )

    return reading


def _read(scripts: ScriptDirectory, path: str) -> Reading | None:
    if path.endswith(".py"):
        source = _content(path)

        if (header := read_header(source, path)) is not None:
            return Reading(header, None)

        if _is_other_file(scripts, path, source):
            return None
    elif os.path.exists(path[:-1]):
        # Bytecode beside its source.
        return None

    module = _import(path)

    if not hasattr(module, "revision") and (named := _legacy.fullmatch(path)):
        module.revision = named["revision"]  # type: ignore[attr-defined]

    return Reading(header_of(module), module)


def _content(path: str) -> bytes:
    """The content of a file. ``open()`` would ask the system for twice as much."""
    file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))

    try:
        parts = [os.read(file, _CHUNK)]

        while len(parts[-1]) == _CHUNK:
            parts.append(os.read(file, _CHUNK))
    finally:
        os.close(file)

    return b"".join(parts)


def _import(path: str) -> ModuleType:
    _forget_bytecode(path)
    return load_python_file(*os.path.split(path))


def _is_other_file(scripts: ScriptDirectory, path: str, source: bytes) -> bool:
    """Whether a file lies beside ``env.py`` and is no revision."""
    folder = os.path.dirname(path)
    main = os.path.realpath(scripts.dir)

    if not scripts.recursive_version_locations and folder != main:
        return False

    if not os.path.join(folder, "").startswith(os.path.join(main, "")):
        return False

    text = source.decode(scripts.output_encoding, errors="replace")
    return path.endswith(f"{os.sep}env.py") or not _assigns_revision.search(text)


def _forget_bytecode(path: str) -> None:
    """Remove the bytecode of a file that was just written. Python would not see that it
    is edited again within the same second, if its size stays the same.
    """
    with contextlib.suppress(OSError):
        if time.time() - os.stat(path).st_mtime < 2:
            os.unlink(importlib.util.cache_from_source(path))


def _line_in_traceback(error: BaseException, path: str) -> int | None:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == path]
    return lines[-1] if lines else None


def _file_error(path: str, error: BaseException) -> RevisionFileError:
    line = getattr(error, "lineno", None) or _line_in_traceback(error, path)
    text = error.msg if isinstance(error, SyntaxError) else first_line(error)
    way_out = "Correct the file."

    if line is None:
        line = line_of(path, "revision")
        way_out = "It needs a text 'revision', and a 'down_revision'."

    return RevisionFileError(path, line, f"{type(error).__name__}: {text}. {way_out}")
