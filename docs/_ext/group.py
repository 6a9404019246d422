"""The ``db`` group without an app, for sphinx-click, which documents an object."""

from __future__ import annotations

import click

from async_alembic.cli.group import LazyCommands
from async_alembic.cli.options import OF_GROUP

db = click.Group(
    "db",
    commands=LazyCommands(),
    params=OF_GROUP,
    help="Manage database migrations.",
)
