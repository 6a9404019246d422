"""What one call, or one command, does otherwise than the app's config says."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import typing as t


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of a call; all empty by default.

    :param databases: The names of the databases to use, instead of all.
    :param directory: The script directory to use, as an absolute path.
    :param x_args: What ``context.get_x_argument()`` returns in a revision.
    """

    databases: tuple[str, ...] = ()
    directory: str | None = None
    x_args: tuple[str, ...] = ()

    def apply(self, app_config: c.Mapping[str, t.Any]) -> c.Mapping[str, t.Any]:
        """Return an app's config with these options.

        :param app_config: ``app.config``, which is not changed.
        """
        if self.directory is None:
            return app_config

        settings = {**app_config["ALEMBIC"], "script_location": self.directory}
        return {**app_config, "ALEMBIC": settings}


NO_OPTIONS = Options()
