"""A project whose ``op`` and ``context`` are used outside of a command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ..backends import Backend
from ..backends import EngineFactory
from ..harness import create_table
from ..harness import Framework
from ..harness import write_revision
from ..projects import Project


def users() -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table(
        "users",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(20)),
    )
    return metadata


def make_project(
    root: Path,
    engines: EngineFactory,
    backend: Backend,
    framework: Framework = "flask",
    **options: Any,
) -> Project:
    """A project whose one revision makes the table of its metadata."""
    project = Project(
        root,
        engines,
        backend=backend,
        framework=framework,
        metadatas=users(),
        **options,
    )
    columns = (
        "sa.Column('id', sa.Integer, primary_key=True)",
        "sa.Column('name', sa.String(20))",
    )
    write_revision(
        project.folder,
        "aaaa",
        upgrade=create_table("users", *columns),
        downgrade="op.drop_table('users')",
    )
    return project
