"""The script directory: finds the revisions, and writes new ones."""

from __future__ import annotations

import codecs
import collections.abc as c
import contextlib
import os
import sys
import threading
import typing as t
from pathlib import Path

from alembic.script import Script
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError as AlembicRevisionError
from alembic.script.revision import RevisionMap
from alembic.util import asbool
from alembic.util import to_tuple
from mako.exceptions import MakoException  # type: ignore[import-untyped]

from .. import errors
from .graph import RevisionGraph
from .listing import FileLister
from .reading import ParsedFile
from .reading import read_revision
from .reading import RevisionFile
from .writing import check_id
from .writing import check_label
from .writing import escape_message
from .writing import run_hooks

if t.TYPE_CHECKING:
    from alembic.config import Config
    from alembic.config import PostWriteHookConfig

    from .listing import FileSignature


class Scripts(ScriptDirectory):
    """The script directory of an app.

    Finds revisions in the folder itself, as Flask-Alembic writes them, and in its
    subfolder ``versions``, as Alembic and Flask-Migrate do. ``env.py`` and other files
    that are not revisions are not executed.
    """

    def __init__(
        self,
        config: Config,
        script_location: str,
        version_locations: c.Sequence[str],
        previous: Scripts | None,
    ) -> None:
        if not os.path.isdir(script_location):
            raise errors.ScriptLocationError(script_location)

        recursive = _read_bool(config, "recursive_version_locations")
        locations = [script_location, *version_locations]

        if not recursive:
            locations.insert(1, os.path.join(script_location, "versions"))

        with _wrap_setting_errors("truncate_slug_length"):
            slug_length = int(config.get_main_option("truncate_slug_length", "40"))

        with _wrap_setting_errors("output_encoding"):
            encoding = config.get_main_option("output_encoding", "utf-8")
            codecs.lookup(encoding)

        self._built_map: RevisionMap | None = None
        self._map_lock = threading.Lock()
        super().__init__(
            script_location,
            file_template=config.get_main_option("file_template", "%(rev)s_%(slug)s"),
            truncate_slug_length=slug_length,
            version_locations=locations,
            sourceless=_read_bool(config, "sourceless"),
            output_encoding=encoding,
            timezone=config.get_main_option("timezone"),
            recursive_version_locations=recursive,
            messaging_opts=config.messaging_opts,
        )
        self.post_write_hooks: list[PostWriteHookConfig] = config.get_hooks_list()
        self._lister = FileLister(
            tuple(map(os.path.abspath, locations)), self.sourceless, recursive
        )
        # Listed before any file is read, so that no change is missed.
        self._files = self._lister.list_files()
        self._parsed_files = dict(self._read(previous))
        #: The graph of the revisions, as of when the files were listed.
        self.graph: RevisionGraph = _build_graph(self._parsed_files)

    @property
    def revision_map(self) -> RevisionMap:
        """Alembic's map of the revisions, built on first use. It is slow to build, and
        not used at head.
        """
        # Without the lock, several threads would each build it.
        with self._map_lock:
            if self._built_map is None:
                self._built_map = self._build_map()

            return self._built_map

    @revision_map.setter
    def revision_map(self, value: RevisionMap) -> None:
        """Ignore the map that Alembic builds, which would import every file."""

    @property
    def directories(self) -> list[Path]:
        """The folders that are searched for revisions, without duplicates."""
        return list(dict.fromkeys(map(Path, self.version_locations)))

    def is_stale(self) -> bool:
        """Whether a file was added, edited or removed since the files were listed."""
        return self._files != self._lister.list_files()

    def has(self, revision: str) -> bool:
        """Whether a revision exists.

        :param revision: An id, or its first characters, at least four.
        """
        try:
            return bool(self.revision_map.get_revision(revision)) and (
                len(revision) >= 4 or revision in self.ids()
            )
        except (AlembicRevisionError, AssertionError):
            # Invalid input such as "@" fails an assertion in Alembic.
            return False

    def location_of(self, script: Script) -> str:
        """Return the folder of ``version_locations`` that contains a revision."""
        parents = Path(script.path).parents
        inside = [folder for folder in self.directories if folder.resolve() in parents]
        return max(map(str, inside), key=len)

    def has_branch(self, label: str) -> bool:
        """Whether a branch has this label."""
        return label in self.graph.labels

    def ids(self) -> c.Set[str]:
        """Return the ids of all revisions."""
        return self.graph.paths.keys()

    def unlabelled_heads(self) -> list[Script]:
        """Return the heads of histories that start without a branch label."""
        labelled = {*self.graph.labels.values()}
        heads = [
            head
            for head in self.get_revisions(self.get_heads())
            if not labelled.issuperset(self._bases_of(head))
        ]
        return [head for head in heads if not head.branch_labels] or heads

    def _bases_of(self, head: Script) -> list[str]:
        walked = self.walk_revisions("base", head.revision)
        return [script.revision for script in walked if script.is_base]

    def generate_revision(
        self, revid: str, message: str | None, *args: t.Any, **kwargs: t.Any
    ) -> Script | None:
        """Write a revision file as Alembic does, but without printing, and without
        leaving a file behind if it is invalid.
        """
        check_id(revid)
        ids = self.ids()

        if revid in ids:
            raise errors.RevisionError(
                f"Revision {revid} already exists. Choose another id."
            )

        for label in to_tuple(kwargs.get("branch_labels"), default=()):
            check_label(label)

            if label in {revid, *ids} or self.has_branch(label):
                raise errors.RevisionError(
                    f"A branch or a revision '{label}' already exists. Choose another"
                    " label."
                )

        return super().generate_revision(revid, message, *args, **kwargs)

    def _generate_template(self, src: Path, dest: Path, **kwargs: t.Any) -> None:
        # Alembic calls this to write the file, and then imports the file.
        kwargs["message"] = escape_message(kwargs["message"])
        dest.parent.mkdir(parents=True, exist_ok=True)

        try:
            super()._generate_template(src, dest, **kwargs)
            run_hooks(self.post_write_hooks, dest)
            parsed = read_revision(self, os.fspath(dest))
            labels = parsed and parsed.header.branch_labels

            if kwargs["branch_labels"] and not labels:
                raise errors.ConfigurationError(
                    f"The template '{src}' does not write 'branch_labels'. Add this"
                    " variable as in Alembic's own template."
                )

            if parsed is not None:
                parsed_files = {**self._parsed_files, os.fspath(dest): parsed}
                self.graph = _build_graph(parsed_files)
                self._parsed_files = parsed_files
        except BaseException as e:
            dest.unlink(missing_ok=True)

            if not isinstance(e, MakoException):
                raise

            raise errors.ConfigurationError(
                f"The template '{src}' is invalid: {errors.first_line(e)}. Correct it."
            ) from e

    def _rev_path(self, *args: t.Any, **kwargs: t.Any) -> Path:
        with _wrap_setting_errors("file_template"):
            path = super()._rev_path(*args, **kwargs)

        # Alembic would overwrite the revision in a file of the same name.
        if path.exists():
            raise errors.RevisionFileError(
                path,
                None,
                "it already exists. Choose another message, or add '%(rev)s' to"
                " 'file_template'.",
            )

        if path.parent not in self.directories and not self.recursive_version_locations:
            raise errors.ConfigurationError(
                f"'file_template' puts the new revision at '{path}', in a folder that"
                " is not searched. Set 'recursive_version_locations' to True."
            )

        return path

    def _read(self, previous: Scripts | None) -> c.Iterator[tuple[str, ParsedFile]]:
        for path, signature in self._files.items():
            known = previous._get_unchanged(path, signature) if previous else None
            parsed = known or read_revision(self, path)

            if parsed is not None:
                yield path, parsed

    def _get_unchanged(self, path: str, signature: FileSignature) -> ParsedFile | None:
        """Return the earlier result of reading a file, if the file is unchanged."""
        parsed = self._parsed_files.get(path)
        # A file that had to be imported may compute another header next time.
        is_known = parsed is not None and parsed.module is None
        return parsed if is_known and self._files.get(path) == signature else None

    def _build_map(self) -> RevisionMap:
        parsed_files = self._parsed_files.items()
        revision_map = RevisionMap(
            lambda: (RevisionFile(path, parsed) for path, parsed in parsed_files)
        )
        # The map is built on its first use.
        _ = revision_map.heads
        return revision_map


def _build_graph(parsed_files: c.Mapping[str, ParsedFile]) -> RevisionGraph:
    return RevisionGraph({path: parsed.header for path, parsed in parsed_files.items()})


def load(
    config: Config,
    script_location: str,
    version_locations: c.Sequence[str],
    previous: Scripts | None = None,
) -> Scripts:
    """Read the script directory, and check the history.

    :param config: Alembic's config.
    :param script_location: The folder of the script directory.
    :param version_locations: More folders with revisions.
    :param previous: The script directory as read earlier. Unchanged files are not read
        again.
    :raises ScriptLocationError: If the folder does not exist.
    :raises RevisionFileError: If a file is broken, a duplicate, or part of a cycle.
    """
    for path in reversed(config.get_prepend_sys_paths_list() or ()):
        if path not in sys.path:
            sys.path.insert(0, path)

    return Scripts(config, script_location, version_locations, previous)


def _read_bool(config: Config, key: str) -> bool:
    with _wrap_setting_errors(key):
        return asbool(config.get_main_option(key))


@contextlib.contextmanager
def _wrap_setting_errors(key: str) -> c.Iterator[None]:
    try:
        yield
    except (LookupError, TypeError, ValueError) as e:
        raise errors.ConfigurationError(
            f"app.config['ALEMBIC']['{key}'] is invalid: {errors.first_line(e)}."
            " Correct it."
        ) from e
