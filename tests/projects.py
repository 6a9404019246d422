"""An app with its revision files and databases, for tests that are about the files.

.. code-block:: python

    def test_it(tmp_path: Path, engines: EngineFactory, caller: Caller) -> None:
        project = Project(tmp_path, engines, timezone="UTC")
        (script,) = caller(project.alembic, "revision", "users")
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.script import Script

from async_alembic import Alembic

from .backends import Backend
from .backends import by_id
from .backends import EngineFactory
from .harness import AnyEngine
from .harness import Framework
from .harness import make_app

#: The fastest one, for what is not about databases.
MEMORY = by_id("sqlite-memory-sqlite3")
#: Settings with which all tables that are in no model are dropped.
AS_ALEMBIC = {"ALEMBIC_DROP_UNKNOWN_TABLES": True}


class Project:
    """An app with a script directory and one database, or several.

    It holds the app, which the extension does not.

    :param root: The app's folder.
    :param engines: Makes the databases.
    :param backend: What they are.
    :param metadatas: The metadata of each; makes an empty one if left out.
    :param context: ``ALEMBIC_CONTEXT``.
    :param options: ``ALEMBIC``.
    """

    def __init__(
        self,
        root: Path,
        engines: EngineFactory,
        *,
        framework: Framework = "flask",
        backend: Backend = MEMORY,
        metadatas: Any = None,
        context: dict[str, Any] | None = None,
        alembic: type[Alembic] = Alembic,
        run_mkdir: bool = True,
        **options: Any,
    ) -> None:
        self.root = root
        self.app = make_app(
            framework, root, ALEMBIC=options, ALEMBIC_CONTEXT=dict(context or {})
        )
        self.metadatas = sa.MetaData() if metadatas is None else metadatas
        names = self.metadatas if isinstance(self.metadatas, dict) else ["default"]
        self.engines: dict[str, Any] = {name: engines(backend) for name in names}
        self.alembic = alembic(
            self.app,
            metadatas=self.metadatas,
            engines=self.engines,
            run_mkdir=run_mkdir,
        )

    def use(self, metadata: sa.MetaData) -> None:
        """Change the models."""
        self.metadatas = metadata
        self.alembic = Alembic(self.app, metadatas=metadata, engines=self.engines)

    @property
    def folder(self) -> Path:
        """The script directory, unless another one is configured."""
        return self.root / "migrations"

    @property
    def engine(self) -> AnyEngine:
        engine: AnyEngine = self.engines["default"]
        return engine

    def files(self) -> dict[str, bytes]:
        """The Python files of the app and what is in them."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in sorted(self.root.rglob("*.py"))
        }


def names(scripts: Iterable[Script]) -> list[str]:
    """The ids of revisions."""
    return [script.revision for script in scripts]


def docstring(script: Script) -> str:
    """What stands above the revision's header in its file, read without Alembic."""
    tree = ast.parse(Path(script.path).read_bytes())
    text = ast.get_docstring(tree, clean=False)
    assert text is not None
    return text[: text.rindex("\n\nRevision ID:")]
