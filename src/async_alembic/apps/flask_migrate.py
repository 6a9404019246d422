"""What an app has said to Flask-Migrate, whose extension may still be on it.

Flask-Migrate is not imported.
"""

from __future__ import annotations

import collections.abc as c
import typing as t

#: What Flask-Migrate passes to ``configure()`` by itself.
_DEFAULTS: c.Mapping[str, t.Any] = {"compare_type": True, "render_as_batch": True}


class MigrateArguments(t.NamedTuple):
    """The arguments of ``Migrate(app, db, ...)``.

    :param context: The arguments for ``EnvironmentContext.configure()``.
    :param directory: The script directory, relative to the working directory.
    :param callbacks: The functions that edit Alembic's config.
    """

    context: c.Mapping[str, t.Any] = {}
    directory: str | None = None
    callbacks: c.Sequence[c.Callable[..., t.Any]] = ()

    @classmethod
    def of(cls, extension: t.Any) -> MigrateArguments:
        """Read them from ``app.extensions["migrate"]``, which may be missing."""
        arguments = getattr(extension, "configure_args", None) or {}
        context = {
            key: value
            for key, value in arguments.items()
            if key not in _DEFAULTS or value is not _DEFAULTS[key]
        }
        migrate = getattr(extension, "migrate", None)
        callbacks = getattr(migrate, "configure_callbacks", ())
        return cls(context, getattr(extension, "directory", None), callbacks)
