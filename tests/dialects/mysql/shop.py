"""An app whose revision fails half-way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from async_alembic import Alembic
from async_alembic import MigrationError
from async_alembic import PartialRevision
from async_alembic import PartialRevisionError

from ...backends import by_id
from ...backends import MARIADB_BACKENDS
from ...backends import on
from ...harness import AnyEngine
from ...harness import Caller
from ...harness import make_app
from ...harness import write_revision

on_mariadb = on(MARIADB_BACKENDS)
on_one_driver = on([by_id("mariadb-asyncmy")])
FIRST = "op.execute('CREATE TABLE users (id INT)')"
HALF = """
    op.execute("INSERT INTO users VALUES (1)")
    op.execute("ALTER TABLE users ADD name VARCHAR(20)")
    op.execute("INSERT INTO users VALUES (2, 'x')")
    op.execute("SELECT * FROM users")
    op.execute("ALTER TABLE nowhere ADD name VARCHAR(20)")
"""


class Shop:
    """An app on one database, with a history whose second revision fails half-way.

    :param config: The app's config.
    """

    def __init__(
        self, caller: Caller, engine: AnyEngine, root: Path, **config: Any
    ) -> None:
        self.caller = caller
        self.engine = engine
        self.config = config
        self.folder = root / "migrations"
        write_revision(self.folder, "a1", None, FIRST, "op.execute('DROP TABLE users')")
        write_revision(self.folder, "a2", "a1", HALF)

    def again(self) -> Alembic:
        """The extension, as another process has it."""
        # The extension keeps no reference to it.
        self.app = make_app("quart", self.folder.parent, **self.config)
        return Alembic(
            self.app, metadatas=sa.MetaData(), engines=self.engine, command_name=""
        )

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self.caller(self.again(), method, *args, **kwargs)

    def fail(
        self, method: str = "upgrade", *args: Any, **kwargs: Any
    ) -> PartialRevision | None:
        with pytest.raises(MigrationError) as caught:
            self.call(method, *args, **kwargs)

        return caught.value.partial

    def refuse(self, method: str = "upgrade", *args: Any) -> PartialRevisionError:
        with pytest.raises(PartialRevisionError) as caught:
            self.call(method, *args)

        return caught.value

    def execute(self, *statements: str) -> None:
        self.caller.execute(self.engine, *statements)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        return self.caller.query(self.engine, statement)

    @property
    def has_record(self) -> bool:
        return "alembic_version_partial" in self.caller.tables(self.engine)
