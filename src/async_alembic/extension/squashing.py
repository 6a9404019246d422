"""Squashes revisions: runs the steps on databases that are made for it."""

from __future__ import annotations

import collections.abc as c
import contextvars
import os
import shutil
import tempfile
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import sqlalchemy as sa

from .. import commands
from ..apps.databases import Databases
from ..apps.engines import are_async
from ..running.dispatch import block_on_databases
from ..scratch.databases import ScratchServers

if t.TYPE_CHECKING:
    from ..apps.project import Project
    from ..commands.squash import Plan
    from ..results import Squash

T = t.TypeVar("T")
#: Takes settings for ``ALEMBIC``, and returns the project with them.
ProjectWith: t.TypeAlias = "c.Callable[[dict[str, t.Any]], Project]"


def squash(
    project: Project,
    databases: Databases,
    project_with: ProjectWith,
    plan: Plan,
    message: str | None,
) -> Squash:
    """Squash revisions, in a thread in which no event loop runs.

    :param project: The app's project.
    :param databases: The app's databases.
    :param project_with: Returns the app's project with other settings.
    :param plan: What to squash.
    :param message: A short description of the new revision.
    """

    def work() -> Squash:
        with (
            ScratchServers(databases.urls) as servers,
            tempfile.TemporaryDirectory() as folder,
        ):
            squashing = _Squashing(project, databases, project_with, servers)
            new = squashing.run(plan, message, Path(folder))
            squashed: Squash = commands.squash.install(project, plan, *new)
            return squashed

    with ThreadPoolExecutor(1) as executor:
        return executor.submit(contextvars.copy_context().run, work).result()


class _Squashing:
    def __init__(
        self,
        project: Project,
        databases: Databases,
        project_with: ProjectWith,
        servers: ScratchServers,
    ) -> None:
        self._project = project
        self._databases = databases
        self._project_with = project_with
        self._servers = servers

    def run(self, plan: Plan, message: str | None, folder: Path) -> tuple[bytes, str]:
        """Return the content and the path of the new file, after it was verified."""
        original = self._run(
            self._make(), self._project_with({}), commands.squash.run_original, plan
        )
        start = self._make()
        self._run(start, self._project_with({}), commands.squash.upgrade, plan)
        copies = _copy_folders(self._project, folder)
        graph = self._project.files.graph
        kept = graph.ancestors_of(*[plan.base] if plan.base else (), dependencies=True)
        later: dict[Path, bytes] = {}

        for revision, path in graph.paths.items():
            if revision not in kept:
                copy = _copy_of(path, copies)
                later |= {} if revision in plan.replaced else {copy: copy.read_bytes()}
                copy.unlink()

        settings = {
            "script_location": str(copies[os.path.realpath(self._main)]),
            "version_locations": [
                str(copies[os.path.realpath(other)])
                for other in self._project.settings.version_locations
            ],
        }
        old = graph.paths[plan.revision]
        location = _location_of(old, copies)
        new = self._run(
            Databases(t.cast("t.Any", original.metadatas), start.engines),
            self._project_with(settings),
            commands.squash.write,
            plan,
            message,
            str(copies[location]),
        )

        for copy, content in later.items():
            copy.write_bytes(content)

        self._run(
            self._make(),
            self._project_with(settings),
            commands.squash.verify,
            plan,
            original,
        )
        relative = os.path.relpath(new, copies[location])
        return Path(new).read_bytes(), os.path.join(location, relative)

    @property
    def _main(self) -> str:
        return self._project.settings.script_location

    def _make(self) -> Databases:
        """Make empty databases for those of the app."""
        engines: t.Any = {
            name: self._engine(name, url) for name, url in self._servers.make().items()
        }
        return Databases(self._databases.metadatas, engines)

    def _engine(self, name: str, url: sa.URL) -> t.Any:
        if are_async(self._databases.engines):
            from sqlalchemy.ext.asyncio import create_async_engine as create_engine
        else:
            from sqlalchemy import create_engine  # type: ignore[assignment]

        app_engine: t.Any = self._databases.engines[name]
        options = getattr(app_engine, "sync_engine", app_engine).get_execution_options()
        return create_engine(url, poolclass=sa.NullPool, execution_options={**options})

    def _run(
        self, databases: Databases, project: Project, command: t.Any, *args: t.Any
    ) -> t.Any:
        return block_on_databases(project, databases, False, command, *args)


def _copy_folders(project: Project, folder: Path) -> dict[str, Path]:
    """Copy the folders of a history.

    :return: Where each was copied to, by its real path.
    """
    settings = project.settings
    main = os.path.realpath(settings.script_location)
    copies = {main: folder / "main"}
    shutil.copytree(main, copies[main], ignore=shutil.ignore_patterns("__pycache__"))

    for number, other in enumerate(map(os.path.realpath, settings.version_locations)):
        if other.startswith(main + os.sep):
            copies[other] = copies[main] / os.path.relpath(other, main)
        else:
            copies[other] = folder / str(number)
            shutil.copytree(other, copies[other])

    versions = os.path.join(main, "versions")

    if os.path.isdir(versions):
        copies.setdefault(versions, copies[main] / "versions")

    return copies


def _location_of(path: str, copies: c.Iterable[str]) -> str:
    return max((f for f in copies if path.startswith(f + os.sep)), key=len)


def _copy_of(path: str, copies: dict[str, Path]) -> Path:
    location = _location_of(path, copies)
    return copies[location] / os.path.relpath(path, location)
