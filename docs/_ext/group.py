"""The ``db`` group without an app, for sphinx-click, which documents an object."""

from __future__ import annotations

import click

from async_alembic.cli.group import LazyCommands

db = click.Group("db", commands=LazyCommands(), help="Manage database migrations.")
