"""Read one file as a revision, and report why it cannot be read."""

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

#: Matches every revision file, whatever its style.
_assigns_revision = re.compile(
    r"^revision\s*[:=]|\bdown_revision\b[^=\n]*=(?!=)", re.MULTILINE
)
#: The name of a file without ``revision``: Alembic still takes the id from the name.
_legacy_name = re.compile(r"(?:.*[/\\])?(?P<revision>[a-f0-9]+)\.py")
#: Bytes to read at once, more than nearly every file has.
_CHUNK = 2**16
#: Serializes imports, because several threads may need the same module.
_importing = threading.RLock()


class ParsedFile(t.NamedTuple):
    """The result of reading a revision file.

    :param header: The header.
    :param module: The module, if the file had to be imported to read the header.
    """

    header: Header
    module: ModuleType | None


class RevisionFile(Script):
    """A revision whose module is imported on first use.

    :param path: The path of the file.
    :param parsed: The result of reading the file.
    """

    def __init__(self, path: str, parsed: ParsedFile) -> None:
        header, module = parsed
        # Script.__init__() would need the module.
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
        """The module, imported on first use.

        :raises RevisionFileError: If the import fails.
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
                "it was edited after it was read. Try again.",
            )

        return module


def read_revision(scripts: ScriptDirectory, path: str) -> ParsedFile | None:
    """Read a file, if it is a revision.

    :param scripts: The script directory that contains the file.
    :param path: The path of the file.
    :return: The header and perhaps the module, or ``None`` if it is not a revision.
    :raises RevisionFileError: If the file has to be imported and the import fails, or
        if its id is invalid.
    """
    try:
        parsed = _read(scripts, path)

        if parsed is not None:
            Revision.verify_rev_id(parsed.header.revision)
    except (Exception, SystemExit) as e:
        if not os.path.exists(path):
            # Removed since the folder was listed.
            return None

        raise _file_error(path, e) from e

    if parsed is not None and not parsed.header.revision:
        raise RevisionFileError(
            path, line_of(path, "revision"), "'revision' is empty. Give it an id."
        )

    return parsed


def _read(scripts: ScriptDirectory, path: str) -> ParsedFile | None:
    if path.endswith(".py"):
        source = _read_bytes(path)

        if (header := read_header(source, path)) is not None:
            return ParsedFile(header, None)

        if _is_not_revision(scripts, path, source):
            return None
    elif os.path.exists(path[:-1]):
        # Bytecode that has a source file.
        return None

    module = _import(path)

    if not hasattr(module, "revision") and (named := _legacy_name.fullmatch(path)):
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


def _import(path: str) -> ModuleType:
    _remove_fresh_bytecode(path)
    return load_python_file(*os.path.split(path))


def _is_not_revision(scripts: ScriptDirectory, path: str, source: bytes) -> bool:
    """Whether a file is in the folder of ``env.py`` and is not a revision."""
    folder = os.path.dirname(path)
    main = os.path.realpath(scripts.dir)

    if not scripts.recursive_version_locations and folder != main:
        return False

    if not os.path.join(folder, "").startswith(os.path.join(main, "")):
        return False

    text = source.decode(scripts.output_encoding, errors="replace")
    return path.endswith(f"{os.sep}env.py") or not _assigns_revision.search(text)


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


def _file_error(path: str, error: BaseException) -> RevisionFileError:
    line = getattr(error, "lineno", None) or _line_in_traceback(error, path)
    text = error.msg if isinstance(error, SyntaxError) else first_line(error)
    advice = "Correct the file."

    if line is None:
        line = line_of(path, "revision")
        advice = "It needs the string 'revision' and a 'down_revision'."

    return RevisionFileError(path, line, f"{type(error).__name__}: {text}. {advice}")
