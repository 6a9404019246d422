"""The history that every fault interrupts."""

from __future__ import annotations

from pathlib import Path

from ..harness import write_revision

REVISIONS = ["a1", "a2", "a3", "a4", "a5"]
BASE, HEAD = "base", REVISIONS[-1]
#: The index that the last revision makes outside of a transaction.
INDEX = "ix_author_name"

TABLES = """
op.create_table(
    "author",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(50)),
)
op.create_table(
    "book",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column(
        "author_id",
        sa.Integer,
        sa.ForeignKey("author.id", name="fk_book_author", ondelete="CASCADE"),
        nullable=False,
    ),
    sa.Column("title", sa.String(100), nullable=False),
)
"""
ROWS = """
author = sa.table("author", sa.column("id"), sa.column("name"))
book = sa.table(
    "book", sa.column("id"), sa.column("author_id"), sa.column("title")
)
op.bulk_insert(author, [{"id": 1, "name": "Ann"}, {"id": 2, "name": "Bob"}])
op.bulk_insert(
    book,
    [
        {"id": 1, "author_id": 1, "title": "One"},
        {"id": 2, "author_id": 1, "title": "Two"},
        {"id": 3, "author_id": 2, "title": "Three"},
    ],
)
"""
AN_INDEX = "op.create_index('ix_book_title', 'book', ['title'])"
ALTERED_PARENT = """
with op.batch_alter_table("author", recreate="auto") as batch:
    batch.add_column(
        sa.Column("country", sa.String(2), nullable=False, server_default="NZ")
    )
    batch.alter_column(
        "name",
        existing_type=sa.String(50),
        type_=sa.String(80),
        existing_nullable=True,
        nullable=False,
    )
"""
INDEX_OUTSIDE_OF_THE_TRANSACTION = f"""
with op.get_context().autocommit_block():
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS {INDEX} ON author (name)"
        )
    else:
        op.create_index("{INDEX}", "author", ["name"], if_not_exists=True)
"""


def write_history(folder: Path) -> None:
    after = None
    upgrades = [
        TABLES,
        ROWS,
        AN_INDEX,
        ALTERED_PARENT,
        INDEX_OUTSIDE_OF_THE_TRANSACTION,
    ]

    for revision, upgrade in zip(REVISIONS, upgrades, strict=True):
        write_revision(folder, revision, after, upgrade)
        after = revision
