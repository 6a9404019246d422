"""The checks of a history, each on databases of its own."""

from __future__ import annotations

import collections.abc as c
import functools
import tempfile
import typing as t
from pathlib import Path

from ..commands import compare
from ..commands import migrate
from ..errors import AsyncAlembicError
from .checks import CheckFailedError
from .checks import files
from .checks import Impossible
from .checks import models
from .checks import offline
from .checks import walks
from .checks.releases import export_release
from .checks.schemas import differences
from .checks.walks import RevisionData

if t.TYPE_CHECKING:
    from ..history.scripts import Scripts
    from ..history.targets import StepTarget
    from .apps import FreshApp
    from .checks.schemas import Schema
    from .copying.databases import FreshDatabase

P = t.ParamSpec("P")


def _explained(method: c.Callable[P, None]) -> c.Callable[P, None]:
    """An error of the library is a sentence already."""

    @functools.wraps(method)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(*args, **kwargs)
        except AsyncAlembicError as e:
            raise CheckFailedError(str(e)) from e

    return wrapper


class History:
    """The history of an app, to be checked.

    Each method raises an assertion error whose first line says what is wrong, and the
    others show it; or :exc:`.Impossible` if it cannot be checked.

    :param make: Makes a database at a revision, which is not in memory.
    """

    def __init__(self, make: c.Callable[[StepTarget], FreshDatabase]) -> None:
        self._make = make

    @_explained
    def has_one_head(self) -> None:
        files.has_one_head(self._scripts())

    @_explained
    def can_be_read(self) -> None:
        files.can_be_read(self._scripts())

    @_explained
    def goes_up_from_base(self) -> None:
        self._fresh_app("base").run(migrate.upgrade, "heads")

    @_explained
    def goes_up_down_and_up(self) -> None:
        self._fresh_app("base").run(walks.can_go_up_down_and_up)

    @_explained
    def leaves_no_trace(self) -> None:
        empty = self._schema(self._fresh_app("base"))
        self._fresh_app("heads").run(walks.leaves_no_trace, empty)

    @_explained
    def matches_models(self) -> None:
        script = self._fresh_app("heads").run(compare.produce_migrations)
        models.match_migrations(script)

    @_explained
    def keeps_data(self, data: c.Mapping[str, RevisionData]) -> None:
        self._fresh_app("base").run(walks.keeps_data, data)

    @_explained
    def is_the_same_offline(self) -> None:
        fresh_app = self._fresh_app("base")
        statements = fresh_app.run(offline.offline_sql)
        fresh_app.run(offline.execute_sql, statements)
        self._compare(
            fresh_app,
            "What the SQL script of the history makes differs from what the revisions"
            " make.",
            [statement for listed in statements.values() for statement in listed],
        )

    @_explained
    def is_as_released(self, ref: str) -> None:
        now = self._scripts()

        if now.has(ref):
            raise Impossible(f"'{ref}' is a revision, and no commit to compare with.")

        with tempfile.TemporaryDirectory() as folder:
            database, settings = self._release(ref, folder)
            then = database.fresh_app_with(**settings).project.scripts
            paths = {s.revision: Path(s.path) for s in then.walk_revisions()}
            files.is_as_released(now, paths, ref)

    @_explained
    def goes_up_from_release(self, ref: str) -> None:
        if self._scripts().has(ref):
            database = self._make(ref)
        else:
            with tempfile.TemporaryDirectory() as folder:
                database, settings = self._release(ref, folder)
                database.fresh_app_with(**settings).run(migrate.upgrade, "heads")

        database.fresh_app.run(migrate.upgrade, "heads")
        self._compare(
            database.fresh_app,
            f"A database of '{ref}' that goes up to the heads differs from one that"
            " goes there from an empty one. See whether a revision was edited.",
        )

    def _release(
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
        return fresh_app.run(walks.schema_of)

    def _compare(
        self, fresh_app: FreshApp, sentence: str, evidence: c.Iterable[str] = ()
    ) -> None:
        expected = self._schema(self._fresh_app("heads"))

        if lines := differences(expected, self._schema(fresh_app)):
            raise CheckFailedError(sentence, [*lines, *evidence])
