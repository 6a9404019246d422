"""The templates of an app's databases: what tells them from others, and how they are
made.
"""

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

from ...commands import migrate
from ...dialects import digest
from ..apps import Factory
from ..apps import FreshApp

if t.TYPE_CHECKING:
    from ...apps.project import Project
    from ...history.targets import StepTarget
    from ..servers import Server
    from .names import Name
    from .shared_server import SharedServer


@dataclasses.dataclass(frozen=True)
class Template:
    """A migrated database that others are copies of.

    :param host: Its server.
    :param name: Its name.
    :param built: The name of the database that is migrated to become it.
    """

    host: SharedServer
    name: str
    built: str

    def is_there(self) -> bool:
        return self.host.call(lambda server: server.has_template(self.name))

    def drop(self) -> None:
        """Drop what is left of one that was not finished, or is one of several."""
        self.host.call(lambda server: server.drop(self.name))

    def begin(self) -> None:
        self.host.call(lambda server: server.create(self.built))

    def publish(self) -> None:
        self.host.call(lambda server: server.publish(self.built, self.name))

    def give_up(self) -> None:
        self.host.call(lambda server: server.drop(self.built))


def find_templates(
    hosts: c.Mapping[Name, SharedServer],
    factory: Factory,
    target: StepTarget,
    *,
    keep: bool,
) -> dict[Name, str]:
    """Get the names of the templates of an app's databases, which are made together
    unless all are there.

    :param hosts: The server of each database.
    :param factory: Makes what migrates them.
    :param target: How far to migrate them.
    :param keep: Whether they outlive the run, or were left by an earlier one.
    """
    built = {name: host.server.new_name() for name, host in hosts.items()}
    urls = {name: host.server.url_of(built[name]) for name, host in hosts.items()}
    fresh_app = FreshApp(factory, urls)
    versions = [host.call(_version) for host in hosts.values()]
    key = _key_of(fresh_app.project, target, versions)
    templates: dict[Name, Template] = {}

    with contextlib.ExitStack() as stack:
        # In an order that is the same for all processes.
        for host in sorted(set(hosts.values()), key=lambda host: str(host.server.url)):
            stack.enter_context(host.locked())

        for name, host in hosts.items():
            project = _project_of(fresh_app.project, target, name)
            template = host.server.template_name(project, digest(key, name), keep=keep)
            templates[name] = Template(host, template, built[name])
            # After a run that does not keep them, all are made anew.
            kept = template if keep else None
            host.call(functools.partial(_drop_kept, project, kept))

        if not all(template.is_there() for template in templates.values()):
            _build(fresh_app, templates.values(), target)

    return {name: template.name for name, template in templates.items()}


def _build(
    fresh_app: FreshApp, templates: c.Collection[Template], target: StepTarget
) -> None:
    for template in templates:
        template.drop()

    try:
        for template in templates:
            template.begin()

        try:
            fresh_app.run(migrate.upgrade, target)
        finally:
            fresh_app.dispose()

        for template in templates:
            template.publish()
    except BaseException:
        for template in templates:
            template.give_up()

        raise


def _version(server: Server) -> str:
    return server.version()


def _drop_kept(project: str, but: str | None, server: Server) -> None:
    server.drop_kept(project, but)


def _project_of(project: Project, target: StepTarget, name: Name) -> str:
    """8 hexadecimal digits: those of a history, whatever is in it.

    :param project: The files.
    :param target: How far it is applied.
    :param name: The name of the database that it is applied to.
    """
    location = os.path.realpath(project.settings.script_location)
    return digest(location, str(target), name)[:8]


def _key_of(project: Project, target: StepTarget, servers: c.Iterable[str]) -> str:
    """16 hexadecimal digits: others if a file changes that a revision can be made of, a
    setting, the target, a server, or a version of what applies it.

    :param project: The files.
    :param target: How far it is applied.
    :param servers: The versions of the servers.
    """
    seen = hashlib.blake2b(digest_size=8)
    roots = {path.resolve() for path in project.scripts.directories}

    for path in sorted({path for root in roots for path in _files_in(root)}):
        relative = os.path.relpath(path, project.settings.script_location)
        seen.update(_framed(relative.encode()))
        seen.update(_framed(path.read_bytes()))

    versions = map(importlib.metadata.version, ["async-alembic", "alembic"])
    settings = _plain_settings(project)

    for text in (str(target), *servers, *settings, *versions):
        seen.update(_framed(text.encode()))

    return seen.hexdigest()


def _files_in(folder: Path) -> c.Iterator[Path]:
    """All files, as a revision may read others than Python's."""
    for path in folder.rglob("*") if folder.is_dir() else ():
        if path.is_file() and path.suffix != ".pyc":
            yield path


def _plain_settings(project: Project) -> c.Iterator[str]:
    """Those that say the same in every process, unlike a function."""
    settings = project.settings

    for options in settings.options, settings.context_options():
        for name, value in sorted(options.items()):
            # The URL is another one for each database.
            if isinstance(value, (str, int)) and not name.startswith("sqlalchemy."):
                yield f"{name}={value}"


def _framed(data: bytes) -> bytes:
    """So that what follows cannot be taken for a part of it."""
    return len(data).to_bytes(8) + data
