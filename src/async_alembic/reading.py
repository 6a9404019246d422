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
from alembic.script.revision import DependencyLoopDetected
from alembic.script.revision import LoopDetected
from alembic.util import load_python_file
from alembic.util import to_tuple

from .errors import first_line
from .errors import RevisionFileError
from .headers import header_of
from .headers import read_header
from .history import line_of

if t.TYPE_CHECKING:
    from types import ModuleType

    from alembic.script import ScriptDirectory

    from .headers import Header

#: What every revision file has, however it is written.
_assigns_revision = re.compile(
    r"^revision\s*[:=]|\bdown_revision\b[^=\n]*=(?!=)", re.MULTILINE
)
#: One module at a time, as others may want the same one.
_importing = threading.RLock()


class RevisionFile(Script):
    """A revision whose header was read. Its module is imported when it is used.

    :param path: The file.
    :param header: Its header.
    """

    def __init__(self, path: str, header: Header) -> None:
        # Script's own takes all of this from the module.
        super(Script, self).__init__(
            header.revision,
            t.cast("t.Any", header.down_revision),
            branch_labels=to_tuple(header.branch_labels, default=()),
            dependencies=to_tuple(header.depends_on, default=()),
        )
        self.path = path
        self.header = header
        self._module: ModuleType | None = None

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
            _forget_bytecode(self.path)
            module = load_python_file(*os.path.split(self.path))
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


def read_revision(
    scripts: ScriptDirectory, path: str, header: Header | None = None
) -> Script | None:
    """Read a file, if it is a revision.

    :param scripts: The script directory that it is in.
    :param path: The file.
    :param header: Its header, if that is known from before.
    :raises RevisionFileError: If the revision follows itself, or if it takes an import
        to read the file, and that fails.
    """
    try:
        script = _read(scripts, path, header)
    except LoopDetected as e:
        dependency = isinstance(e, DependencyLoopDetected)
        key = "depends_on" if dependency else "down_revision"
        raise RevisionFileError(
            path,
            line_of(path, key),
            f"revision {e.revisions[0]} follows itself. Correct '{key}'.",
        ) from e
    except (Exception, SystemExit) as e:
        if not os.path.exists(path):
            # Removed since the folder was listed.
            return None

        raise _file_error(path, e) from e

    if script is not None and not script.revision:
        raise RevisionFileError(
            path, line_of(path, "revision"), "its 'revision' is empty. Give it one."
        )

    return script


def _read(scripts: ScriptDirectory, path: str, header: Header | None) -> Script | None:
    if header is None and path.endswith(".py"):
        with open(path, "rb", buffering=0) as file:
            source = file.read()

        header = read_header(source, path)

        if header is None and _is_other_file(scripts, path, source):
            return None

    if header is not None:
        return RevisionFile(path, header)

    _forget_bytecode(path)
    # There's no public way to make a Script of a file.
    return Script._from_path(scripts, path)


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
