import functools
import importlib

import sqlalchemy as sa


def models_with(package, stage):
    function = importlib.import_module(f"{package}.pg_function").PGFunction
    view = importlib.import_module(f"{package}.pg_view").PGView
    entities = importlib.import_module(f"{package}.replaceable_entity")
    metadata = sa.MetaData()
    sa.Table("product", metadata, sa.Column("id", sa.Integer, primary_key=True))
    entities.registry.clear()
    entities.register_entities(
        [
            function(
                "public",
                "add_up(a integer)",
                f"returns integer language sql as $$ select a + {stage} $$",
            ),
            view("public", "shown", f"select {stage} as stage"),
        ],
        entity_types=[function, view],
    )
    return metadata


models = functools.partial(models_with, "alembic_utils")
