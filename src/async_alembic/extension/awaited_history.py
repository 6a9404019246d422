"""The async methods that read and write revision files.

``blocking_history.py`` is generated from this file: run ``make blocking`` after a
change.
"""

from __future__ import annotations

import collections.abc as c
import typing as t

from .. import commands
from ..history.targets import includes_current
from ..running.imports import import_for
from .awaited_base import AwaitedBase

if t.TYPE_CHECKING:
    from alembic.script import Script

    from ..history.targets import StepTarget
    from ..history.targets import Target
    from ..results import MoveIn
    from ..results import Rebase
    from ..results import Squash


class AwaitedHistory(AwaitedBase):
    """Reads and writes revision files, awaited."""

    async def mkdir(self) -> None:
        """Create the script directory and its template, if they are missing."""
        await self._do_file_io(self._mkdir, self._app())

    async def init(
        self,
        template: str | None = None,
        package: bool = False,
        env_py: bool = False,
    ) -> list[str]:
        """Create the script directory with its template and a ``README``.

        :param template: The template of new revisions: one of :meth:`list_templates`,
            or the path of a folder that has a ``script.py.mako``. By default, the one
            for as many databases as the app has.
        :param package: Whether to make a Python package of each folder.
        :param env_py: Whether to write an ``env.py``, which calls :func:`run_env_py`,
            and an ``alembic.ini`` into the working directory. The extension needs
            neither, but Alembic's own program and other tools do.
        :return: The paths of the files that were created.
        :raises ConfigurationError: If there is no such template, or another one was
            edited.
        """
        return await self._do_file_io(
            self._init, self._app(), template, package, env_py
        )

    async def list_templates(self) -> dict[str, str]:
        """Get the descriptions of the templates of new revisions, by their names."""
        return await self._do_file_io(commands.script_directory.list_templates)

    async def heads(self, resolve_dependencies: bool = False) -> tuple[Script, ...]:
        """Get the revisions that have no child revisions.

        :param resolve_dependencies: Whether to treat dependencies as down revisions.
        """
        return await self._on_files(commands.inspect.heads, resolve_dependencies)

    async def branches(self) -> list[Script]:
        """Get the revisions that have more than one child revision."""
        return await self._on_files(commands.history.branches)

    async def log(self, start: Target = "base", end: Target = "heads") -> list[Script]:
        """Get the revisions from the newest to the oldest.

        :param start: The oldest revision; ``"current"`` for the databases' current one.
        :param end: The newest revision; accepts ``"current"`` as well.
        :raises RevisionError: If one of them is not found.
        """
        if includes_current(start, end):
            return await self._on_databases(
                commands.history.log_from_current, start, end
            )

        return await self._on_files(commands.history.log, start, end)

    async def upgrade_sql(
        self,
        target: StepTarget = "heads",
        start: Target = "base",
        tag: str | None = None,
    ) -> dict[str, str]:
        """Write an upgrade as SQL, for the client program of the database to execute.
        No database and no driver is needed.

        :param target: As of :meth:`upgrade`.
        :param start: The revision or revisions that the database is at.
        :param tag: What revisions get from ``context.get_tag_argument()``.
        :return: The SQL for each database, by its name; empty if nothing is to be done.
        :raises OfflineError: If a revision needs a database.
        :raises RevisionError: If the target or the start cannot be resolved.
        """
        await self._find_tenant()
        databases = await self._do_file_io(self._offline, self._app())
        return await self._on_files(
            commands.sql.upgrade_sql, databases, target, start, tag
        )

    async def downgrade_sql(
        self, target: StepTarget, start: Target, tag: str | None = None
    ) -> dict[str, str]:
        """Write a downgrade as SQL; see :meth:`upgrade_sql`.

        :param target: As of :meth:`downgrade`.
        :param start: The revision or revisions that the database is at.
        :param tag: What revisions get from ``context.get_tag_argument()``.
        """
        await self._find_tenant()
        databases = await self._do_file_io(self._offline, self._app())
        return await self._on_files(
            commands.sql.downgrade_sql, databases, target, start, tag
        )

    async def stamp_sql(
        self, target: Target = "heads", start: Target = "base", tag: str | None = None
    ) -> dict[str, str]:
        """Write the changes of the version table as SQL; see :meth:`upgrade_sql`.

        :param target: As of :meth:`stamp`.
        :param start: The revision or revisions that the database is at.
        :param tag: What revisions get from ``context.get_tag_argument()``.
        """
        await self._find_tenant()
        databases = await self._do_file_io(self._offline, self._app())
        return await self._on_files(
            commands.sql.stamp_sql, databases, target, start, tag
        )

    async def show(self, revisions: Target = "heads") -> tuple[Script, ...]:
        """Get revisions.

        :param revisions: The revision or revisions; ``"current"`` for the databases'
            current ones.
        :raises RevisionError: If one of them is not found.
        """
        if includes_current(revisions):
            return await self._on_databases(commands.history.show_current, revisions)

        return await self._on_files(commands.history.show, revisions)

    async def revision(
        self,
        message: str,
        empty: bool = False,
        branch: str = "default",
        parent: Target = "head",
        splice: bool = False,
        depend: Target | None = None,
        label: str | c.Iterable[str] | None = None,
        path: str | None = None,
        rev_id: str | None = None,
        drop: str | c.Iterable[str] = (),
        rename: str | c.Iterable[str] = (),
        against_history: bool = False,
    ) -> list[Script]:
        """Write a revision from the differences between models and databases.

        :param message: A short description of the revision.
        :param empty: Whether to write a revision without operations, which needs no
            database.
        :param branch: The named branch of the revision. If it does not exist, it is
            started. A history without branch names is continued at its head.
        :param parent: The parent revision or revisions.
        :param splice: Whether to allow a parent that is not a head.
        :param depend: The revision or revisions that must be applied first.
        :param label: The label or labels of the revision.
        :param path: The folder to write to, relative to the app's root. By default, the
            folder of the branch or of the parent.
        :param rev_id: The id of the revision. By default, :meth:`rev_id` returns one.
        :param drop: Which of the :meth:`unknown_tables` to drop. The others are kept,
            and named in a comment.
        :param rename: What was renamed, with its data: ``"old:new"`` for a table,
            ``"table.old:new"`` for a column. See :meth:`possible_renames`.
        :param against_history: Whether to compare the models with what the revisions
            make in a new database on the same server, which is dropped at the end. What
            is in the app's database does not count.
        :return: The new revisions; empty if there are no differences. Their ``changes``
            say what was detected, and what of it loses data.
        :raises RevisionError: If a parent is not found, the databases are not at head,
            or ``drop`` names another table.
        :raises PlanError: If there can be no new database, or a revision fails in it.
        """
        await import_for(commands.generate.revision)
        new = commands.generate.NewRevision(
            message,
            empty,
            branch,
            parent,
            splice,
            depend,
            label,
            path,
            rev_id,
            frozenset([drop] if isinstance(drop, str) else drop),
            (rename,) if isinstance(rename, str) else tuple(rename),
            against_history,
        )

        turn = await self._wait_for_turn()

        try:
            if against_history:
                trying = self._for_trying()
                return await trying._on_scratch(
                    commands.generate.revision_on_history, new
                )

            if await self._do_file_io(self._needs_database, self._app(), new):
                return await self._on_databases(commands.generate.revision, new)

            return await self._on_files(commands.generate.empty_revision, new)
        finally:
            turn.release()

    async def merge(
        self,
        revisions: Target = "heads",
        message: str | None = None,
        label: str | c.Iterable[str] | None = None,
        splice: bool = False,
        rev_id: str | None = None,
    ) -> Script | None:
        """Write a revision that merges others.

        :param revisions: The revisions to merge.
        :param message: A short description of the revision. By default, it names the
            ``revisions``.
        :param label: The label or labels of the revision.
        :param splice: Whether to allow revisions that are not heads.
        :param rev_id: The id of the revision. By default, :meth:`rev_id` returns one.
        :return: The new revision, or ``None`` if there are fewer than two to merge.
        :raises RevisionError: If one of the revisions is not found.
        """
        turn = await self._wait_for_turn()

        try:
            return await self._on_files(
                commands.generate.merge, revisions, message, label, splice, rev_id
            )
        finally:
            turn.release()

    async def rebase(
        self, revision: str | None = None, onto: str | None = None
    ) -> Rebase:
        """Put the revisions of one branch of the repository on top of those of another,
        where both have added some. The files get other parents, and nothing else in
        them changes.

        :param revision: A revision to move, with those that belong to it. By default,
            those that git does not find in the branch that is merged or rebased onto.
        :param onto: The head to put them on top of. By default, the other one.
        :return: What was changed; nothing if there is one head.
        :raises RevisionError: If a database that can be reached has applied one of
            them, if there are more heads, or if git does not tell which to move.
        :raises RevisionFileError: If the parents in a file are computed.
        """
        turn = await self._wait_for_turn()

        try:
            sides = await self._on_files(commands.rebase.find_sides, revision, onto)

            if sides is None:
                return await self._on_files(commands.rebase.write_head_files)

            current = await self._on_reachable(commands.inspect.current_heads)
            return await self._on_files(commands.rebase.rebase, sides, current)
        finally:
            turn.release()

    async def squash(
        self, base: str, revision: str, message: str | None = None
    ) -> Squash:
        """Replace revisions by one that makes the same schema. It is made from a
        database that they have made on the same server, and is verified in another.
        Both are dropped at the end.

        :param base: The revision before the first of them; ``"base"`` to begin with the
            first one.
        :param revision: The last of them. The new one has its id, so that databases at
            it go on.
        :param message: A short description of the new revision.
        :return: What was done.
        :raises SquashError: If they do more than operations on the schema, or if one
            revision would make another schema. Nothing is changed then.
        :raises RevisionError: If a database that can be reached is at one of them, or
            if they are not one piece of the history.
        :raises PlanError: If there can be no scratch copy.
        :raises DatabaseConnectionError: If a server cannot be reached.
        """
        turn = await self._wait_for_turn()

        try:
            plan = await self._on_files(commands.squash.plan, base, revision)
            current = await self._on_reachable(commands.inspect.current_heads)
            await self._do_file_io(commands.squash.check_databases, plan, current)
            # Its head file is that of another history.
            trying = self._for_trying(linear=False)
            original = await trying._on_scratch(commands.squash.run_original, plan)
            copy = await self._on_files(commands.squash.copy_history, plan)

            try:
                trying = self._for_trying(
                    script_location=copy.script_location,
                    version_locations=copy.version_locations,
                    linear=False,
                )
                new = await trying._on_scratch(
                    commands.squash.write, plan, message, original, copy
                )
                await self._do_file_io(copy.restore)
                await trying._on_scratch(commands.squash.verify, plan, original)
                return await self._on_files(commands.squash.install, plan, copy, new)
            finally:
                await self._clean_up(copy.remove)
        finally:
            turn.release()

    async def move_in(self, *, write: bool = False) -> MoveIn:
        """Find what to set instead of what ``env.py``, ``alembic.ini`` and
        Flask-Migrate say, and compare models and databases without and with it.

        :param write: Whether to write it to ``alembic_settings.py`` in the app's root
            folder. Nothing else is changed.
        :raises ConfigurationError: If that file exists.
        """
        compare = commands.compare.differences_at_head
        move = await self._do_file_io(self._plan_move)
        before = await self._with_config(move.before)._on_databases(compare)
        after = await self._with_config(move.after)._on_databases(compare)
        path = await self._do_file_io(self._write_settings, move) if write else None
        return move.result(before, after, path)
