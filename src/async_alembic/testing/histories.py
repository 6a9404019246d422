"""The checks of a history. Each check uses its own databases."""

from __future__ import annotations

import collections.abc as c
import functools
import tempfile
import typing as t
from pathlib import Path

from ..commands import compare
from ..commands import upgrade
from ..dialects.schemas.reading import differences
from ..errors import AsyncAlembicError
from .checks import CheckFailedError
from .checks import CheckSkippedError
from .checks import migrating
from .checks import models
from .checks import offline
from .checks import revision_files
from .checks.git_export import export_release
from .checks.migrating import RevisionData
from .checks.results import all_failures
from .checks.results import RevisionFailedError

if t.TYPE_CHECKING:
    from ..dialects.schemas.reading import Schema
    from ..history.scripts import Scripts
    from ..history.targets import StepTarget
    from .apps import FreshApp
    from .copying.fresh_databases import FreshDatabase

P = t.ParamSpec("P")


def _as_check_failure(method: c.Callable[P, None]) -> c.Callable[P, None]:
    """Report an error of this package as a failed check, without its traceback."""

    @functools.wraps(method)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(*args, **kwargs)
        except AsyncAlembicError as e:
            raise CheckFailedError(str(e)) from e

    return wrapper


class History:
    """Checks of the migration history of an app.

    If a check fails, its method raises an assertion error. The first line says what is
    wrong, the other lines show details. If a check cannot run, its method raises
    ``CheckSkippedError``.

    :param make: Makes a database at a revision. It must not be in memory.
    :param known_failures: Revisions that are known to fail and cannot be changed any
        more, with the reason. They are upgraded, and not checked.
    """

    def __init__(
        self,
        make: c.Callable[[StepTarget], FreshDatabase],
        known_failures: c.Mapping[str, str] | None = None,
    ) -> None:
        self._make = make
        self._known_failures = known_failures or {}

    @_as_check_failure
    def has_one_head(self) -> None:
        """Check that the history has one head."""
        revision_files.check_one_head(self._scripts())

    @_as_check_failure
    def can_be_read(self) -> None:
        """Check that every revision file has ``upgrade()`` and ``downgrade()``."""
        revision_files.check_functions(self._scripts())

    @_as_check_failure
    def goes_up_from_base(self) -> None:
        """Upgrade an empty database to the heads."""
        self._fresh_app("base").run(upgrade.upgrade, "heads")

    @_as_check_failure
    def goes_up_down_and_up(self) -> None:
        """Upgrade, downgrade and upgrade each revision, and compare the schemas.

        After a failure, the check goes on in a new database.
        """
        finished = set(self._known_ids())
        failures: list[CheckFailedError] = []

        while True:
            tried = set(finished)

            try:
                self._fresh_app("base").run(migrating.check_up_down_up, finished)
                break
            except RevisionFailedError as e:
                failures.append(e)

                if e.revision in tried or e.revision not in finished:
                    # Its upgrade fails, which the following revisions need.
                    break

        if failures:
            raise all_failures(failures)

    @_as_check_failure
    def leaves_no_trace(self) -> None:
        """Check that a downgrade to base restores an empty database.

        If revisions are known to fail, no database can be downgraded to base.
        """
        self._skip_if_known(self._known_ids())
        empty = self._schema(self._fresh_app("base"))
        self._fresh_app("heads").run(migrating.check_downgrade_to_base, empty)

    @_as_check_failure
    def matches_models(self) -> None:
        """Check that the migrated database matches the models."""
        script = self._fresh_app("heads").run(compare.produce_migrations)
        models.check_models_match(script)

    @_as_check_failure
    def keeps_data(self, data: c.Mapping[str, RevisionData]) -> None:
        """Check that revisions preserve rows.

        :param data: The rows by revision id.
        """
        self._fresh_app("base").run(migrating.check_data_preserved, data)

    @_as_check_failure
    def is_the_same_offline(self) -> None:
        """Check that the SQL script creates the same schema as the revisions."""
        fresh_app = self._fresh_app("base")

        try:
            statements = fresh_app.run(offline.generate_sql)
        except RevisionFailedError as e:
            self._skip_if_known({e.revision} & self._known_ids())
            raise

        fresh_app.run(offline.execute_sql, statements)
        self._compare(
            fresh_app,
            "The SQL script of the history creates a different schema than the"
            " revisions. Correct the revisions that differ in offline mode.",
            [sql for database_sql in statements.values() for sql in database_sql],
        )

    @_as_check_failure
    def is_as_released(self, ref: str) -> None:
        """Check that no released revision was edited.

        :param ref: The Git tag or commit of the release.
        """
        current = self._scripts()

        if current.has(ref):
            raise CheckSkippedError(
                f"'{ref}' is a revision, not a Git tag or commit to compare with."
            )

        with tempfile.TemporaryDirectory() as folder:
            database, settings = self._export_release(ref, folder)
            released = database.fresh_app_with(**settings).project.scripts
            paths = {s.revision: Path(s.path) for s in released.walk_revisions()}

            for revision in self._known_ids():
                paths.pop(revision, None)

            revision_files.check_unchanged_since_release(current, paths, ref)

    @_as_check_failure
    def goes_up_from_release(self, ref: str) -> None:
        """Check that a released database is upgraded to the current schema.

        :param ref: The Git tag or commit of the release, or its revision.
        """
        if self._scripts().has(ref):
            database = self._make(ref)
        else:
            with tempfile.TemporaryDirectory() as folder:
                database, settings = self._export_release(ref, folder)
                database.fresh_app_with(**settings).run(upgrade.upgrade, "heads")

        database.fresh_app.run(upgrade.upgrade, "heads")
        self._compare(
            database.fresh_app,
            f"A database upgraded from '{ref}' differs from one upgraded from base."
            " Check whether a revision was edited.",
        )

    def _known_ids(self) -> set[str]:
        scripts = self._scripts()
        unknown = [known for known in self._known_failures if not scripts.has(known)]

        if unknown:
            raise CheckFailedError(
                f"{', '.join(unknown)} is listed as known to fail, but there is no such"
                " revision. Correct the id. 'db log' lists all revisions."
            )

        return set(self._known_failures)

    def _skip_if_known(self, revisions: c.Collection[str]) -> None:
        if revisions:
            reasons = (f"{r} ({self._known_failures[r]})" for r in sorted(revisions))
            raise CheckSkippedError(f"Known to fail: {', '.join(reasons)}.")

    def _export_release(
        self, ref: str, folder: str
    ) -> tuple[FreshDatabase, dict[str, object]]:
        database = self._make("base")
        settings = database.fresh_app.project.settings
        return database, export_release(settings, ref, Path(folder))

    def _fresh_app(self, target: StepTarget) -> FreshApp:
        return self._make(target).fresh_app

    def _scripts(self) -> Scripts:
        return self._fresh_app("base").project.scripts

    def _schema(self, fresh_app: FreshApp) -> Schema:
        return fresh_app.run(migrating.read_schema)

    def _compare(
        self, fresh_app: FreshApp, message: str, details: c.Iterable[str] = ()
    ) -> None:
        expected = self._schema(self._fresh_app("heads"))

        if lines := differences(expected, self._schema(fresh_app)):
            raise CheckFailedError(message, [*lines, *details])
