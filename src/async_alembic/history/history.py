"""The history of an app: the revision files, and Alembic's scripts of them."""

from __future__ import annotations

import collections.abc as c
import functools
import threading
import typing as t

from ..errors import plugin_errors

if t.TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import Script

    from .database_names import DatabaseNames
    from .files import RevisionFiles
    from .lazy_script import LazyScript
    from .scripts import Scripts


class History:
    """The history of an app, as of when its files were listed.

    :param files: The revision files. At head, nothing else is needed.
    :param database_names: What the revisions call the databases.
    :param make_config: Returns Alembic's config.
    """

    def __init__(
        self,
        files: RevisionFiles,
        database_names: DatabaseNames,
        make_config: c.Callable[[], Config],
    ) -> None:
        self.files = files
        self.database_names = database_names
        self.make_config = make_config
        self._scripts: Scripts | None = None
        self._lazy_scripts: dict[str, LazyScript] = {}
        self._lock = threading.Lock()

    @property
    def scripts(self) -> Scripts:
        """Alembic's script directory, made on first use."""
        with plugin_errors():
            from .scripts import Scripts

        # Without the lock, several threads would each make it.
        with self._lock:
            if self._scripts is None:
                self._scripts = Scripts(self.make_config(), self.files)

            return self._scripts

    def script(self, revision: str) -> Script:
        """Return the script of a revision that exists."""
        from .lazy_script import LazyScript

        with self._lock:
            if revision not in self._lazy_scripts:
                self._lazy_scripts[revision] = LazyScript(
                    self.files.graph, revision, functools.partial(self._load, revision)
                )

            return t.cast("Script", self._lazy_scripts[revision])

    def _load(self, revision: str) -> Script:
        return t.cast("Script", self.scripts.revision_map.get_revision(revision))
