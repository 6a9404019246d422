"""What one call, or one command, does otherwise than the app's config says."""

from __future__ import annotations

import collections.abc as c
import dataclasses
import typing as t

from .tenants import Tenant


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of a call; all empty by default.

    :param databases: The names of the databases to use, instead of all.
    :param directory: The script directory to use, as an absolute path.
    :param config: The config to use, instead of ``app.config``.
    :param x_args: What ``context.get_x_argument()`` returns in a revision.
    :param tenant: The tenant whose history and database to use.
    """

    databases: tuple[str, ...] = ()
    directory: str | None = None
    config: c.Mapping[str, t.Any] | None = None
    x_args: tuple[str, ...] = ()
    tenant: Tenant | None = None

    def apply(self, app_config: c.Mapping[str, t.Any]) -> c.Mapping[str, t.Any]:
        """Return an app's config with these options.

        :param app_config: ``app.config``, which is not changed.
        """
        config = app_config if self.config is None else self.config

        if self.tenant is not None:
            from .tenant_config import tenant_config

            config = tenant_config(config, self.tenant)

        if self.directory is None:
            return config

        settings = {**config["ALEMBIC"], "script_location": self.directory}
        return {**config, "ALEMBIC": settings}


NO_OPTIONS = Options()
