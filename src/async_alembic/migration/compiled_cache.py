"""The compiled statements of a migration."""

from __future__ import annotations

import typing as t

#: How many to keep. A loop over rows executes a few again and again.
MOST = 50


class CompiledCache(dict[t.Any, t.Any]):
    """Statements that were compiled a moment ago, for ``compiled_cache`` of
    SQLAlchemy's execution options.

    Most statements of a migration are executed once. In the cache of the app's engine
    they would take the place of those that the app executes all the time.
    """

    def __setitem__(self, key: t.Any, compiled: t.Any) -> None:
        if len(self) >= MOST:
            self.clear()

        super().__setitem__(key, compiled)
