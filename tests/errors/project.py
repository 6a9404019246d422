"""An app of which a command fails, in every way that it is called in."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from typing import cast

import pytest
import sqlalchemy as sa
from click import ClickException
from flask.sansio.app import App

from async_alembic import Alembic
from async_alembic import AsyncAlembicError

from ..backends import by_id
from ..harness import AnyEngine
from ..harness import Caller

Error = type[AsyncAlembicError]
#: Every way that a command is called in.
WAYS = ["awaited", "blocking", "command line"]


def in_every_way(test: Any) -> Any:
    """Run a test in each way; on Flask with an engine, on Quart with an async one."""
    apps = [("flask", by_id("sqlite-sqlite3")), ("quart", by_id("sqlite-aiosqlite"))]
    test = pytest.mark.parametrize(
        ("framework", "backend"), apps, ids=str, indirect=["backend"]
    )(test)
    return pytest.mark.parametrize("way", WAYS)(test)


@dataclass
class Project:
    """An app with a database, of which a command fails in one of the ways."""

    way: str
    app: App
    alembic: Alembic
    engine: AnyEngine | None
    migrations: Path
    look: Caller

    def fail(self, error: Error, command: str, *args: str) -> AsyncAlembicError:
        """Call a command, which must fail, and look at how it does.

        :param error: The class of the error.
        :param command: The name of the command and of the method.
        :param args: The arguments of both.
        :return: The error.
        """
        before = self.contents()
        raised = self._call(command, *args)
        assert type(raised) is error, f"{type(raised).__name__}: {raised}"
        check_sentence(str(raised))
        assert self.contents() == before
        return raised

    def contents(self) -> object:
        """What no failed command may change."""
        if self.engine is None:
            return None

        return self.look.tables(self.engine), self.look.versions(self.engine)

    def upgrade(self, target: str = "heads") -> None:
        """Bring the database somewhere first."""
        self.look.block(lambda: self.alembic.sync.upgrade(target))

    def _call(self, command: str, *args: str) -> BaseException:
        if self.way == "command line":
            return self._call_command_line(command, *args)

        method = getattr(self._shell, command.replace("-", "_"))

        with pytest.raises(Exception) as info:
            if self.way == "awaited":
                self.look.run(method(*args))
            else:
                self.look.block(lambda: method(*args))

        return info.value

    def _call_command_line(self, command: str, *args: str) -> BaseException:
        runner: Any = cast("Any", self.app).test_cli_runner()
        args = ("db", command, *args)
        raised = runner.invoke(args=args, standalone_mode=False).exception
        assert isinstance(raised, ClickException), repr(raised)
        # What a user sees of it.
        result = runner.invoke(args=args)
        assert result.exit_code == 1
        assert result.output.splitlines()[-1] == f"Error: {raised.__cause__}"
        assert "Traceback" not in result.output
        assert isinstance(raised.__cause__, AsyncAlembicError)
        return raised.__cause__

    @property
    def _shell(self) -> Any:
        return self.alembic if self.way == "awaited" else self.alembic.sync


#: What a message tells to do.
WAY_OUT = re.compile(
    r"\b(use|run|check|correct|give|name|remove|pass|call|enter|restore|choose|make"
    r"|must|needs|takes|see|set|delete|install|forget)\b|'db \w+'",
    re.IGNORECASE,
)


def check_sentence(message: str) -> None:
    """Whether a message is for people: what is wrong, and what to do."""
    assert "\n" not in message, message
    assert re.match(r"[A-Z']|app\.config", message), message
    assert message.endswith((".", "?")), message
    assert WAY_OUT.search(message), message
    assert not re.search(r"<\w+ (object|at)|  |\.\.$", message), message


ProjectFactory = Callable[..., Project]


def metadata() -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table("users", metadata, sa.Column("id", sa.Integer, primary_key=True))
    return metadata
