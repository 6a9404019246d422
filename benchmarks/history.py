"""A history as an app has it: tables that are made, filled and changed, by revisions as
Alembic writes them.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

import sqlalchemy as sa
from tests.direct import execute

REVISION = '''"""{message}

Revision ID: {revision}
Revises: {revises}
Create Date: 2024-05-17 09:30:00.000000

"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision: str = "{revision}"
down_revision: str | Sequence[str] | None = {parent!r}
branch_labels: str | Sequence[str] | None = {labels!r}
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
{upgrade}


def downgrade() -> None:
    """Downgrade schema."""
{downgrade}
'''
CREATE_TABLE = """
op.create_table(
    "product_{n}",
    sa.Column("id", sa.Integer(), nullable=False),
    sa.Column("name", sa.String(length=80), nullable=False),
    sa.Column("price", sa.Numeric(precision=10, scale=2), nullable=True),
    sa.Column("created_at", sa.DateTime(), server_default=sa.func.now()),
    sa.PrimaryKeyConstraint("id"),
    sa.UniqueConstraint("name"),
)
"""
CREATE_INDEX = """
op.create_index("ix_product_{n}_created_at", "product_{n}", ["created_at"])
"""
ADD_COLUMN = """
op.add_column(
    "product_{n}",
    sa.Column("is_sold", sa.Boolean(), server_default=sa.false(), nullable=False),
)
"""
EXECUTE = """
op.execute("INSERT INTO product_{n} (name, price) VALUES ('first', 1), ('second', 2)")
op.execute("UPDATE product_{n} SET price = price * 2 WHERE name = 'first'")
"""
ADD_COLUMN_AND_INDEX = """
op.add_column("product_{n}", sa.Column("sku", sa.String(length=20), nullable=True))
op.create_index("ix_product_{n}_sku", "product_{n}", ["sku"], unique=True)
"""
#: What five revisions do, one after another, and how each is taken back.
STEPS = [
    (CREATE_TABLE, 'op.drop_table("product_{n}")'),
    (CREATE_INDEX, 'op.drop_index("ix_product_{n}_created_at")'),
    (ADD_COLUMN, 'op.drop_column("product_{n}", "is_sold")'),
    (EXECUTE, 'op.execute("DELETE FROM product_{n}")'),
    (
        ADD_COLUMN_AND_INDEX,
        'op.drop_index("ix_product_{n}_sku")\nop.drop_column("product_{n}", "sku")',
    ),
]


def write_history(versions: Path, size: int) -> str:
    """Write the files of a history.

    :return: Its head.
    """
    parent = None

    for number in range(size):
        revision = f"{number + 1:012x}"
        table, step = divmod(number, len(STEPS))
        upgrade, downgrade = (
            indent(part.format(n=table).strip(), "    ") for part in STEPS[step]
        )
        text = REVISION.format(
            message=f"Change {number} of the products",
            revision=revision,
            revises=parent or "",
            parent=parent,
            # Flask-Alembic needs it to find the branch.
            labels=None if parent else ("default",),
            upgrade=upgrade,
            downgrade=downgrade,
        )
        (versions / f"{revision}_change_{number}_of_the_products.py").write_text(text)
        parent = revision

    assert parent is not None
    return parent


def stamp(url: sa.URL, revision: str) -> None:
    """Let an empty database pass for one that is at a revision."""
    execute(url, "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    execute(url, f"INSERT INTO alembic_version VALUES ('{revision}')")
