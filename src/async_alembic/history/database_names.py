"""What revisions call the databases, read without importing them. Those of several
databases take the name of one, as in Alembic's and Flask-Migrate's multidb templates.
"""

from __future__ import annotations

import collections.abc as c
import functools
import re
from pathlib import Path

from .listing import Folders

_function = re.compile(rb"^def (?:up|down)grade\(([^)]*)\)", re.MULTILINE)
#: In Flask-Migrate's multidb template, and in what it writes.
_unnamed_default = re.compile(rb"^def upgrade_\(|\bdb_names = \[''\]", re.MULTILINE)


class DatabaseNames:
    """The names of databases in a history. A file is read when it is needed.

    :param script_location: The script directory.
    :param version_locations: More folders with revisions.
    """

    def __init__(
        self, script_location: str, version_locations: c.Iterable[str]
    ) -> None:
        self._template_path = Path(script_location, "script.py.mako")
        self._folders = Folders(
            script_location, tuple(version_locations), recursive=True
        )

    def load(self) -> None:
        """Read the files, where that does not block an event loop."""
        _ = self._default

    def of(self, name: str) -> str:
        """Return what revisions call a database.

        :param name: The name that the app has for it.
        """
        return self._default if name == "default" else name

    def have(self, name: str) -> bool:
        """Return whether revisions have functions for a database."""
        return f"def upgrade_{name}(".encode() in (self._example or b"")

    def are_in_template(self) -> bool:
        """Return whether new revisions take the name of a database."""
        return _takes_name(self._template)

    def are_taken(self) -> bool | None:
        """Return whether revisions take the name of a database, or ``None`` if there
        are no revisions, and no template for several databases.
        """
        if self.are_in_template() or self._example:
            return True

        return None if self._example is None else False

    @functools.cached_property
    def _default(self) -> str:
        # Flask-Migrate calls it "".
        sources = self._template, self._example or b""
        return "" if any(map(_unnamed_default.search, sources)) else "default"

    @functools.cached_property
    def _template(self) -> bytes:
        return _read(self._template_path)

    @functools.cached_property
    def _example(self) -> bytes | None:
        """A revision that takes a name. Empty if none does, ``None`` if there are no
        revisions.
        """
        example = None

        for path in self._folders.list_files():
            source = _read(Path(path))

            if _takes_name(source):
                return source

            if _function.search(source):
                example = b""

        return example


def _takes_name(source: bytes) -> bool:
    found = _function.search(source)
    return found is not None and b"engine_name" in found[1]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
