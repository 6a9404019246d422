"""Alembic's script directory: its map of the revisions, and new files."""

from __future__ import annotations

import collections.abc as c
import contextlib
import os
import threading
import traceback
import typing as t
from pathlib import Path

from alembic.script import Script
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError as AlembicRevisionError
from alembic.script.revision import RevisionMap
from alembic.util import asbool
from alembic.util import CommandError
from alembic.util import to_tuple
from mako.exceptions import MakoException  # type: ignore[import-untyped]

from .. import errors
from ..errors import wrap_setting_errors
from ..errors.quoting import with_class
from .head_files import HeadFiles
from .reading import read_revision
from .revision_file import RevisionFile
from .writing import check_id
from .writing import check_is_complete
from .writing import check_label
from .writing import escape_message
from .writing import run_hooks

if t.TYPE_CHECKING:
    from alembic.config import Config
    from alembic.config import PostWriteHookConfig

    from .files import RevisionFiles
    from .reading import ParsedFile

_KEPT = (
    "The new file was kept, as a module that it uses has failed: if the next command"
    " reads it, nothing is wrong with it."
)
_REMOVED = (
    "The new file was removed. Correct the template '{template}', or what has put that"
    " into the revision."
)


class Scripts(ScriptDirectory):
    """Alembic's script directory of an app.

    :param config: Alembic's config.
    :param files: The revision files.
    """

    def __init__(self, config: Config, files: RevisionFiles) -> None:
        with wrap_setting_errors("truncate_slug_length"):
            slug_length = int(config.get_main_option("truncate_slug_length", "40"))

        with wrap_setting_errors("linear"):
            #: Whether there is a ``head`` file beside the revisions.
            self.is_linear: bool = asbool(config.get_main_option("linear", "false"))

        folders = files.folders
        self.files = files
        self._built_map: RevisionMap | None = None
        self._map_lock = threading.Lock()
        super().__init__(
            folders.main,
            file_template=config.get_main_option("file_template", "%(rev)s_%(slug)s"),
            truncate_slug_length=slug_length,
            version_locations=folders.paths,
            sourceless=folders.sourceless,
            output_encoding=folders.encoding,
            timezone=config.get_main_option("timezone"),
            recursive_version_locations=folders.recursive,
            messaging_opts=config.messaging_opts,
        )
        self.post_write_hooks: list[PostWriteHookConfig] = config.get_hooks_list()

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
    def head_files(self) -> HeadFiles:
        """The ``head`` files, which a linear history has."""
        return HeadFiles(self.files.folders, self.files.graph)

    def check_linear(self) -> None:
        """Check that the history is linear, if it has to be.

        :raises HeadFileError: If a ``head`` file does not name the last revision.
        :raises MultipleHeadsError: If there are several heads in a folder.
        """
        if self.is_linear:
            self.head_files.check()

    @property
    def directories(self) -> list[Path]:
        """The folders that are searched for revisions, without duplicates."""
        return list(dict.fromkeys(map(Path, self.version_locations)))

    def has(self, revision: str) -> bool:
        """Whether a revision exists.

        :param revision: An id, or its first characters, at least four.
        """
        try:
            return bool(self.revision_map.get_revision(revision)) and (
                len(revision) >= 4 or revision in self.files.ids()
            )
        except (AlembicRevisionError, AssertionError):
            # Invalid input such as "@" fails an assertion in Alembic.
            return False

    def location_of(self, script: Script) -> str:
        """Return the folder of ``version_locations`` that contains a revision, or a
        link to it.
        """
        path = Path(script.path)
        inside = [
            folder for folder in self.directories if folder.resolve() in path.parents
        ]
        linking = (
            folder
            for folder in self.directories
            if any(entry.resolve() == path for entry in folder.rglob("*.py"))
        )
        return max(map(str, inside or linking), key=len)

    def has_branch(self, label: str) -> bool:
        """Whether a branch has this label."""
        return label in self.files.graph.labels

    def unlabelled_heads(self) -> list[Script]:
        """Return the heads of histories that start without a branch label."""
        labelled = {*self.files.graph.labels.values()}
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
        ids = self.files.ids()

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

        with _writing_errors():
            dest.parent.mkdir(parents=True, exist_ok=True)

        try:
            self._render(src, dest, kwargs)
            run_hooks(self.post_write_hooks, dest)
            parsed = read_revision(self.files.folders, os.fspath(dest))
            labels = parsed and parsed.header.branch_labels

            if kwargs["branch_labels"] and not labels:
                raise errors.ConfigurationError(
                    f"The template '{src}' does not write 'branch_labels'. Add this"
                    " variable as in Alembic's own template."
                )

            if parsed is not None:
                self._add(os.fspath(dest), parsed)
        except BaseException as e:
            # It may be good, and be read again.
            is_kept = _fails_elsewhere(e, dest)

            if not is_kept:
                dest.unlink(missing_ok=True)

            if isinstance(e, errors.RevisionFileError) and e.__cause__ is not None:
                advice = _KEPT if is_kept else _REMOVED.format(template=src)
                reason = f"{with_class(e.__cause__)}. {advice}"
                raise errors.RevisionFileError(dest, e.line, reason) from e.__cause__

            if not isinstance(e, MakoException):
                raise

            raise errors.ConfigurationError(
                f"The template '{src}' is invalid: {errors.first_line(e)}. Correct it."
            ) from e

    def _add(self, path: str, parsed: ParsedFile) -> None:
        if self.is_linear:
            self.head_files.check_next(path, parsed.header)

        self.files.add(path, parsed)

        if self.is_linear:
            self.head_files.write()

    def _render(self, src: Path, dest: Path, values: dict[str, t.Any]) -> None:
        try:
            with _writing_errors():
                super()._generate_template(src, dest, **values)
        except CommandError as e:
            if (error := e.__context__) is None:
                raise

            raise errors.ConfigurationError(
                f"The template '{src}' cannot be rendered: {type(error).__name__}:"
                f" {errors.first_line(error)}. Run this in an app context if the"
                " template needs the app of Flask, or remove the template, and run 'db"
                " mkdir' to create another."
            ) from error

        check_is_complete(src, dest.read_text(self.output_encoding), values)

    def _rev_path(self, *args: t.Any, **kwargs: t.Any) -> Path:
        with wrap_setting_errors("file_template"):
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

    def _build_map(self) -> RevisionMap:
        parsed_files = self.files.parsed.items()
        revision_map = RevisionMap(
            lambda: (RevisionFile(path, parsed) for path, parsed in parsed_files)
        )
        # The map is built on its first use.
        _ = revision_map.heads
        return revision_map


@contextlib.contextmanager
def _writing_errors() -> c.Iterator[None]:
    try:
        yield
    except OSError as e:
        raise errors.ConfigurationError(
            f"Cannot write a revision: {e.strerror} ('{e.filename}'). Correct the"
            " permissions of the folder, or app.config['ALEMBIC']."
        ) from e


def _fails_elsewhere(error: BaseException, path: Path) -> bool:
    """Return whether the import of a file has failed in a module that it uses."""
    cause = error.__cause__ or error
    files = [frame.filename for frame in traceback.extract_tb(cause.__traceback__)]
    return os.fspath(path) in files[:-1] and files[-1] != os.fspath(path)
