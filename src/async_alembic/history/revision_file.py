"""Alembic's script of a revision, whose file is imported when it is needed."""

from __future__ import annotations

import threading
import typing as t

from alembic.script import Script

from ..errors import RevisionFileError
from .graph import line_of
from .headers import as_tuple
from .headers import header_of
from .reading import file_error
from .reading import import_file
from .same_revision import SameRevision

if t.TYPE_CHECKING:
    from types import ModuleType

    from .reading import ParsedFile

#: Serializes imports, because several threads may need the same module.
_importing = threading.RLock()


class RevisionFile(SameRevision, Script):
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
            branch_labels=as_tuple(header.branch_labels),
            dependencies=as_tuple(header.depends_on),
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
            module = import_file(self.path)
            header = header_of(module)
        except (Exception, SystemExit) as e:
            raise file_error(self.path, e) from e

        if header[:4] != self.header[:4]:
            raise RevisionFileError(
                self.path,
                line_of(self.path, "revision"),
                "it was edited after it was read. Try again.",
            )

        return module
