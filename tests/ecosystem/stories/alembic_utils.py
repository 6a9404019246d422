import sqlalchemy as sa
from alembic_utils.pg_function import PGFunction
from alembic_utils.pg_view import PGView
from alembic_utils.replaceable_entity import register_entities
from alembic_utils.replaceable_entity import registry


def models(stage):
    metadata = sa.MetaData()
    sa.Table("product", metadata, sa.Column("id", sa.Integer, primary_key=True))
    registry.clear()
    register_entities(
        [
            PGFunction(
                "public",
                "add_up(a integer)",
                f"returns integer language sql as $$ select a + {stage} $$",
            ),
            PGView("public", "shown", f"select {stage} as stage"),
        ],
        entity_types=[PGFunction, PGView],
    )
    return metadata
