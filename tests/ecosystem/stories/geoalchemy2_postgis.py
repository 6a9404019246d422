import sqlalchemy as sa
from geoalchemy2 import alembic_helpers
from geoalchemy2 import Geometry

context = {
    "include_object": alembic_helpers.include_object,
    "process_revision_directives": alembic_helpers.writer,
    "render_item": alembic_helpers.render_item,
}


def models(stage):
    metadata = sa.MetaData()
    lake = sa.Table(
        "lake",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("geom", Geometry("POLYGON", srid=4326)),
    )

    if stage == 2:
        lake.append_column(sa.Column("spot", Geometry("POINT", srid=4326)))

    return metadata
