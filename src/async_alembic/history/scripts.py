"""The script directory: which files are revisions, and how a new one is written."""

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
from .listing import Listing
from .reading import read_revision
from .reading import Reading
from .reading import RevisionFile
from .writing import check_id
from .writing import check_label
from .writing import escape_message
from .writing import run_hooks

if t.TYPE_CHECKING:
    from alembic.config import Config
    from alembic.config import PostWriteHookConfig

    from .listing import Stamp


class Scripts(ScriptDirectory):
    """A script directory as an app has it.

    Files of Flask-Alembic, in the folder itself, and of Alembic and Flask-Migrate, in
    its folder ``versions``, are both found. ``env.py`` is not executed, and neither is
    anything else in the folder that is no revision.
    """

    def __init__(
        self,
        config: Config,
        script_location: str,
        version_locations: c.Sequence[str],
        before: Scripts | None,
    ) -> None:
        if not os.path.isdir(script_location):
            raise errors.ScriptLocationError(script_location)

        recursive = asbool(config.get_main_option("recursive_version_locations"))
        locations = [script_location, *version_locations]

        if not recursive:
            locations.insert(1, os.path.join(script_location, "versions"))

        with _named_key("truncate_slug_length"):
            slug_length = int(config.get_main_option("truncate_slug_length", "40"))

        with _named_key("output_encoding"):
            encoding = config.get_main_option("output_encoding", "utf-8")
            codecs.lookup(encoding)

        self._ordered: RevisionMap | None = None
        self._ordering = threading.Lock()
        super().__init__(
            script_location,
            file_template=config.get_main_option("file_template", "%(rev)s_%(slug)s"),
            truncate_slug_length=slug_length,
            version_locations=locations,
            sourceless=asbool(config.get_main_option("sourceless")),
            output_encoding=encoding,
            timezone=config.get_main_option("timezone"),
            recursive_version_locations=recursive,
            messaging_opts=config.messaging_opts,
        )
        self.post_write_hooks: list[PostWriteHookConfig] = config.get_hooks_list()
        self._listing = Listing(
            tuple(map(os.path.abspath, locations)), self.sourceless, recursive
        )
        # Listed before any file is read, so that no change is missed.
        self._files = self._listing.take()
        self._readings = dict(self._read(before))
        #: What the headers say together, as of when this was made.
        self.graph: RevisionGraph = _graph_of(self._readings)

    @property
    def revision_map(self) -> RevisionMap:
        """The revisions in their order. At head, where it takes too long to make this,
        nobody asks for it.
        """
        # The threads that wait would make it again.
        with self._ordering:
            if self._ordered is None:
                self._ordered = self._order()

            return self._ordered

    @revision_map.setter
    def revision_map(self, value: RevisionMap) -> None:
        """Leave out the one that Alembic makes, which would import each file."""

    @property
    def directories(self) -> list[Path]:
        """The folders in which revisions are looked for, each once."""
        return list(dict.fromkeys(map(Path, self.version_locations)))

    def is_stale(self) -> bool:
        """Whether a file was added, edited or removed since this was made."""
        return self._files != self._listing.take()

    def has(self, revision: str) -> bool:
        """Whether there is a revision with this id, of which the first four
        characters or more may be given.
        """
        try:
            return bool(self.revision_map.get_revision(revision)) and (
                len(revision) >= 4 or revision in self.ids()
            )
        except (AlembicRevisionError, AssertionError):
            # Alembic asserts what a user can get wrong, such as "@".
            return False

    def location_of(self, script: Script) -> str:
        """The folder of ``version_locations`` that a revision is in."""
        parents = Path(script.path).parents
        inside = [folder for folder in self.directories if folder.resolve() in parents]
        return max(map(str, inside), key=len)

    def has_branch(self, label: str) -> bool:
        """Whether a branch has this label."""
        return label in self.graph.labels

    def ids(self) -> c.Set[str]:
        """The ids of all revisions."""
        return self.graph.paths.keys()

    def unlabelled_heads(self) -> list[Script]:
        """The heads of what was begun without a branch name."""
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
        """Write a revision file, as Alembic does, but without printing, and with all of
        its faults found before anything is left behind.
        """
        check_id(revid)
        ids = self.ids()

        if revid in ids:
            raise errors.RevisionError(
                f"There is a revision {revid} already. Give another id."
            )

        for label in to_tuple(kwargs.get("branch_labels"), default=()):
            check_label(label)

            if label in {revid, *ids} or self.has_branch(label):
                raise errors.RevisionError(
                    f"There is a branch or a revision '{label}' already. Choose another"
                    " label."
                )

        return super().generate_revision(revid, message, *args, **kwargs)

    def _generate_template(self, src: Path, dest: Path, **kwargs: t.Any) -> None:
        # Alembic calls this to write the file, and imports the file afterwards.
        kwargs["message"] = escape_message(kwargs["message"])
        dest.parent.mkdir(parents=True, exist_ok=True)

        try:
            super()._generate_template(src, dest, **kwargs)
            run_hooks(self.post_write_hooks, dest)
            reading = read_revision(self, os.fspath(dest))
            labels = reading and reading.header.branch_labels

            if kwargs["branch_labels"] and not labels:
                raise errors.ConfigurationError(
                    f"The template '{src}' writes no 'branch_labels'. Add them, as in"
                    " Alembic's own template."
                )

            if reading is not None:
                readings = {**self._readings, os.fspath(dest): reading}
                self.graph = _graph_of(readings)
                self._readings = readings
        except BaseException as e:
            dest.unlink(missing_ok=True)

            if not isinstance(e, MakoException):
                raise

            raise errors.ConfigurationError(
                f"The template '{src}' is broken: {errors.first_line(e)}. Correct it."
            ) from e

    def _rev_path(self, *args: t.Any, **kwargs: t.Any) -> Path:
        with _named_key("file_template"):
            path = super()._rev_path(*args, **kwargs)

        # Alembic overwrites a file of the same name, and with it a revision.
        if path.exists():
            raise errors.RevisionFileError(
                path,
                None,
                "it exists already. Choose another message, or put '%(rev)s' into"
                " 'file_template'.",
            )

        if path.parent not in self.directories and not self.recursive_version_locations:
            raise errors.ConfigurationError(
                f"By 'file_template' the new revision would be '{path}', where it is"
                " not looked for. Set 'recursive_version_locations' to True."
            )

        return path

    def _read(self, before: Scripts | None) -> c.Iterator[tuple[str, Reading]]:
        for path, stamp in self._files.items():
            known = before._reading_of(path, stamp) if before else None
            reading = known or read_revision(self, path)

            if reading is not None:
                yield path, reading

    def _reading_of(self, path: str, stamp: Stamp) -> Reading | None:
        """What was read of a file, if it was as it is now."""
        reading = self._readings.get(path)
        # What is imported may say something else the next time.
        is_known = reading is not None and reading.module is None
        return reading if is_known and self._files.get(path) == stamp else None

    def _order(self) -> RevisionMap:
        readings = self._readings.items()
        revision_map = RevisionMap(
            lambda: (RevisionFile(path, reading) for path, reading in readings)
        )
        # It makes itself when something is asked of it.
        _ = revision_map.heads
        return revision_map


def _graph_of(readings: c.Mapping[str, Reading]) -> RevisionGraph:
    return RevisionGraph({path: reading.header for path, reading in readings.items()})


def load(
    config: Config,
    script_location: str,
    version_locations: c.Sequence[str],
    before: Scripts | None = None,
) -> Scripts:
    """Read the script directory, and check that its revisions make a history.

    :param config: Alembic's config.
    :param script_location: The folder of the script directory.
    :param version_locations: More folders with revisions.
    :param before: What was read when some of the files were other ones.
    :raises ScriptLocationError: If there is no such folder.
    :raises RevisionFileError: If a file is broken, or there twice, or in a cycle.
    """
    for path in reversed(config.get_prepend_sys_paths_list() or ()):
        if path not in sys.path:
            sys.path.insert(0, path)

    return Scripts(config, script_location, version_locations, before)


@contextlib.contextmanager
def _named_key(key: str) -> c.Iterator[None]:
    try:
        yield
    except (LookupError, TypeError, ValueError) as e:
        raise errors.ConfigurationError(
            f"app.config['ALEMBIC']['{key}'] cannot be used: {errors.first_line(e)}."
            " Correct it."
        ) from e
