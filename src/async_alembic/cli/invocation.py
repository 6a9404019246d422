"""One invocation of the command line: its app, and the options before the command and
after it.
"""

from __future__ import annotations

import dataclasses
import typing as t

import click

from .colour import color_from_environ

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from .protocol import Migrations

_KEY = "async_alembic.invocation"


@dataclasses.dataclass
class Invocation:
    """One invocation of the command line.

    :param app: The app.
    :param alembic: The extension.
    """

    app: App
    alembic: Migrations
    raiseerr: bool = False
    quiet: bool = False
    json: bool = False
    directory: str | None = None
    x_arg: tuple[str, ...] = ()
    database: tuple[str, ...] = ()
    tenant: str | None = None

    @classmethod
    def of(cls, ctx: click.Context) -> Invocation:
        """Return the invocation that a context belongs to."""
        return t.cast("Invocation", ctx.meta[_KEY])

    def begin(self, ctx: click.Context) -> None:
        """Make a context, and those below it, belong to this invocation."""
        ctx.meta[_KEY] = self
        ctx.color = color_from_environ()

    @property
    def migrations(self) -> Migrations:
        """The extension, with the options of the command line."""
        bound = self.alembic._for_command_line(self.app)

        if not (self.database or self.directory or self.x_arg or self.tenant):
            return bound

        return bound.with_options(
            database=self.database,
            directory=self.directory,
            x_args=self.x_arg,
            tenant=self.tenant,
        )
