import sqlalchemy as sa
from geoalchemy2 import alembic_helpers
from geoalchemy2 import Geometry
from sqlalchemy.ext.asyncio import AsyncEngine

#: SpatiaLite's own, which the package's filter does not know.
OWN = {"KNN", "KNN2", "data_licenses", "ElementaryGeometries", "SpatialIndex"}


def include_object(item, name, type_, reflected, compare_to):
    if type_ == "table" and name in OWN:
        return False

    return alembic_helpers.include_object(item, name, type_, reflected, compare_to)


context = {
    "include_object": include_object,
    "process_revision_directives": alembic_helpers.writer,
    "render_item": alembic_helpers.render_item,
    "render_as_batch": True,
}


def load(connection, record):
    if not hasattr(connection, "run_async"):
        connection.enable_load_extension(True)
        connection.load_extension("mod_spatialite")
        connection.execute("SELECT InitSpatialMetaData(1)")
        return

    # The listener of GeoAlchemy2 does not know aiosqlite.
    async def load_async(driver):
        await driver.enable_load_extension(True)
        await driver.load_extension("mod_spatialite")
        cursor = await driver.execute("SELECT InitSpatialMetaData(1)")
        await cursor.close()

    connection.run_async(load_async)


def prepare(engine):
    sync_engine = engine.sync_engine if isinstance(engine, AsyncEngine) else engine
    sa.event.listen(sync_engine, "connect", load)


def models(stage):
    metadata = sa.MetaData()
    sa.Table(
        "lake",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=stage == 1),
        sa.Column("geom", Geometry("POLYGON", srid=4326)),
    )
    return metadata


async def finish(alembic, engine):
    """The batch has kept what SpatiaLite needs, and no more."""

    def check(env):
        execute = env.connection("default").exec_driver_sql
        triggers = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"
        found = execute(f"{triggers} AND tbl_name = 'lake'").scalar()
        assert found and found > 3, found
        columns = execute("SELECT f_geometry_column FROM geometry_columns").all()
        assert [tuple(row) for row in columns] == [("geom",)]

    await alembic.run(check)
