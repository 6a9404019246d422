import sqlalchemy as sa
from pgvector.sqlalchemy import Vector


def models(stage):
    metadata = sa.MetaData()
    text = sa.Table(
        "text",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("embedding", Vector(3)),
    )

    if stage == 2:
        sa.Index(
            "nearest",
            text.c.embedding,
            postgresql_using="hnsw",
            postgresql_ops={"embedding": "vector_l2_ops"},
        )

    return metadata
