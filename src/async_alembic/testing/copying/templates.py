"""The templates of an app's databases: how they are identified and built."""

from __future__ import annotations

import collections.abc as c
import contextlib
import dataclasses
import functools
import hashlib
import importlib.metadata
import os
import typing as t
from pathlib import Path

from ...commands import upgrade
from ...dialects import digest
from ..apps import AppFactory
from ..apps import FreshApp

if t.TYPE_CHECKING:
    from ...apps.project import Project
    from ...history.targets import StepTarget
    from ..servers import Server
    from .shared_server import SharedServer
    from .urls import DatabaseName


@dataclasses.dataclass(frozen=True)
class Template:
    """A migrated database that is copied for tests.

    :param shared_server: The server.
    :param name: The name of the template.
    :param build_name: The name of the database while it is being migrated.
    """

    shared_server: SharedServer
    name: str
    build_name: str

    def exists(self) -> bool:
        return self.shared_server.call(lambda server: server.has_template(self.name))

    def drop(self) -> None:
        """Drop a template that is incomplete, or whose siblings are missing."""
        self.shared_server.call(lambda server: server.drop(self.name))

    def create_build(self) -> None:
        self.shared_server.call(lambda server: server.create(self.build_name))

    def publish(self) -> None:
        self.shared_server.call(
            lambda server: server.publish(self.build_name, self.name)
        )

    def drop_build(self) -> None:
        self.shared_server.call(lambda server: server.drop(self.build_name))


def get_or_build_templates(
    servers: c.Mapping[DatabaseName, SharedServer],
    app_factory: AppFactory,
    target: StepTarget,
    *,
    keep: bool,
) -> dict[DatabaseName, str]:
    """Return the names of the templates of an app's databases.

    If any template is missing, all of them are built together.

    :param servers: The server of each database.
    :param app_factory: Creates the app that migrates the databases.
    :param target: The revision to migrate to.
    :param keep: Whether to keep templates after the run and to reuse kept ones.
    """
    build_names = {name: shared.server.new_name() for name, shared in servers.items()}
    urls = {
        name: shared.server.url_of(build_names[name])
        for name, shared in servers.items()
    }
    fresh_app = FreshApp(app_factory, urls)
    versions = [shared.call(_version) for shared in servers.values()]
    key = _template_key(fresh_app.project, target, versions)
    templates: dict[DatabaseName, Template] = {}

    with contextlib.ExitStack() as stack:
        # All processes lock in the same order, to avoid a deadlock.
        for shared in sorted(set(servers.values()), key=lambda s: str(s.server.url)):
            stack.enter_context(shared.template_lock())

        for name, shared in servers.items():
            project = _project_digest(fresh_app.project, target, name)
            template = shared.server.template_name(
                project, digest(key, name), keep=keep
            )
            templates[name] = Template(shared, template, build_names[name])
            # With keep=False, all kept templates of the history are dropped.
            kept = template if keep else None
            shared.call(functools.partial(_drop_kept_templates, project, kept))

        if not all(template.exists() for template in templates.values()):
            _build_templates(fresh_app, templates.values(), target)

    return {name: template.name for name, template in templates.items()}


def _build_templates(
    fresh_app: FreshApp, templates: c.Collection[Template], target: StepTarget
) -> None:
    for template in templates:
        template.drop()

    try:
        for template in templates:
            template.create_build()

        try:
            fresh_app.run(upgrade.upgrade, target)
        finally:
            fresh_app.dispose()

        for template in templates:
            template.publish()
    except BaseException:
        for template in templates:
            template.drop_build()

        raise


def _version(server: Server) -> str:
    return server.version()


def _drop_kept_templates(project: str, keep: str | None, server: Server) -> None:
    server.drop_kept_templates(project, keep)


def _project_digest(project: Project, target: StepTarget, name: DatabaseName) -> str:
    """Return 8 hexadecimal digits that identify a history, whatever its contents.

    :param project: The revision files.
    :param target: The revision to migrate to.
    :param name: The name of the database.
    """
    location = os.path.realpath(project.settings.script_location)
    return digest(location, str(target), name)[:8]


def _template_key(
    project: Project, target: StepTarget, server_versions: c.Iterable[str]
) -> str:
    """Return 16 hexadecimal digits that identify the contents of a template.

    They depend on all files in the migration folders, the settings, the target, the
    server versions, and the versions of Alembic and of this package.

    :param project: The revision files and settings.
    :param target: The revision to migrate to.
    :param server_versions: The versions of the servers.
    """
    contents = hashlib.blake2b(digest_size=8)
    roots = {path.resolve() for path in project.scripts.directories}

    for path in sorted({path for root in roots for path in _files_in(root)}):
        relative = os.path.relpath(path, project.settings.script_location)
        contents.update(_length_prefixed(relative.encode()))
        contents.update(_length_prefixed(path.read_bytes()))

    versions = map(importlib.metadata.version, ["async-alembic", "alembic"])
    settings = _reproducible_settings(project)

    for text in (str(target), *server_versions, *settings, *versions):
        contents.update(_length_prefixed(text.encode()))

    return contents.hexdigest()


def _files_in(folder: Path) -> c.Iterator[Path]:
    """Yield all files, as a revision may also read data files."""
    for path in folder.rglob("*") if folder.is_dir() else ():
        if path.is_file() and path.suffix != ".pyc":
            yield path


def _reproducible_settings(project: Project) -> c.Iterator[str]:
    """Yield the settings whose text is the same in every process, unlike a function."""
    settings = project.settings

    for options in settings.options, settings.context_options():
        for name, value in sorted(options.items()):
            # Each database has a different URL.
            if isinstance(value, (str, int)) and not name.startswith("sqlalchemy."):
                yield f"{name}={value}"


def _length_prefixed(data: bytes) -> bytes:
    """Prefix data with its length, so that "ab", "c" and "a", "bc" differ."""
    return len(data).to_bytes(8) + data
