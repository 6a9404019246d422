"""The table of who has run which revision, and from which version of the code."""

from __future__ import annotations

import datetime as dt
import functools
import getpass
import hashlib
import socket
import typing as t

import sqlalchemy as sa

from ..dialects.companion_tables import audit_table
from ..history.git import run_git
from ..results import AppliedRevision

if t.TYPE_CHECKING:
    from alembic.script import Script

    from .environment import Environment


class Audit:
    """The table ``alembic_version_audit`` of one database.

    :param env: The files and the open databases.
    :param name: The name of the database.
    """

    def __init__(self, env: Environment, name: str) -> None:
        self._env = env
        self._name = name
        self._connection = env.connection(name)
        self._exists = False
        self._table = sa.Table(
            audit_table(env.version_table),
            sa.MetaData(),
            sa.Column("id", sa.Integer, primary_key=True),
            # Names that need no quotes.
            sa.Column("database_name", sa.String(255), key="database", nullable=False),
            sa.Column("revision", sa.String(255), nullable=False),
            sa.Column("direction", sa.String(10), nullable=False),
            sa.Column("applied_at", sa.DateTime, nullable=False),
            sa.Column("seconds", sa.Float, nullable=False),
            sa.Column("os_user", sa.String(255), key="user", nullable=False),
            sa.Column("host", sa.String(255), nullable=False),
            sa.Column("application", sa.String(255), nullable=False),
            sa.Column("code_version", sa.String(255)),
            sa.Column("checksum", sa.String(64), nullable=False),
            schema=env.version_schema(name),
        )

    def create(self) -> None:
        """Create the table if it is missing."""
        if not self._exists:
            self._table.create(self._connection, checkfirst=True)
            self._exists = True

    def write(self, script: Script, direction: str, seconds: float) -> None:
        """Record a revision that has run, in its transaction."""
        facts = self._env.databases.offload(lambda: self._facts(script))
        values = {
            "database": self._name,
            "revision": script.revision,
            "direction": direction,
            "applied_at": dt.datetime.now(dt.UTC).replace(tzinfo=None),
            "seconds": seconds,
        }
        # No id is asked for.
        self._connection.execute(self._table.insert().inline(), values | facts)

    def _facts(self, script: Script) -> dict[str, str | None]:
        """Return what is read from files or asked of other programs."""
        return {**self._origin, "checksum": checksum_of(script.path)}

    @functools.cached_property
    def _origin(self) -> dict[str, str | None]:
        """What is the same for all revisions."""
        settings, app = self._env.project.settings, self._env.project.sender
        return {
            "user": _user(),
            "host": socket.gethostname(),
            "application": app.name if app else "",
            "code_version": settings.code_version
            or run_git(settings.root_path, "rev-parse", "HEAD"),
        }

    def read(self) -> list[AppliedRevision]:
        """Return what is recorded, the newest first."""
        inspector = sa.inspect(self._connection)

        if not inspector.has_table(self._table.name, self._table.schema):
            return []

        columns = self._table.c
        query = sa.select(*(c.label(c.key) for c in columns if c is not columns.id))
        found = self._connection.execute(query.order_by(columns.id.desc()))
        checksums = self._env.databases.offload(self._checksums)
        seen: set[str] = set()
        applied = []

        for row in found.mappings().all():
            revision, checksum = row["revision"], row["checksum"]
            # Of a revision that was run again, the last time counts.
            is_applied = row["direction"] == "upgrade" and revision not in seen
            seen.add(revision)
            is_edited = is_applied and checksums.get(revision, checksum) != checksum
            applied_at = row["applied_at"].replace(tzinfo=dt.UTC)
            values = {**row, "applied_at": applied_at, "is_edited": is_edited}
            applied.append(AppliedRevision(**values))

        return applied

    def _checksums(self) -> dict[str, str]:
        paths = self._env.project.files.graph.paths
        return {revision: checksum_of(path) for revision, path in paths.items()}


def checksum_of(path: str) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # The user of a container may have no name.
        return ""
