"""Apps whose revision files are written."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.script import Script


def table(name: str = "users", *columns: sa.Column[Any]) -> sa.MetaData:
    """Metadata with one table."""
    metadata = sa.MetaData()
    sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True), *columns)
    return metadata


def function_bodies(script: Script) -> dict[str, str]:
    """The code of each function in a revision file."""
    source = Path(script.path).read_text()
    return {
        node.name: textwrap.dedent(ast.get_source_segment(source, node) or "")
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef)
    }
