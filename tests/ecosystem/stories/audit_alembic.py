import sqlalchemy as sa
from audit_alembic import Auditor

auditor = Auditor.create("1.0")
auditor.created = True
context = {
    "on_version_apply": auditor.listen,
    "include_object": lambda item, name, *_: name != "alembic_version_history",
}


def models(stage):
    metadata = sa.MetaData()
    columns = [sa.Column("name", sa.Text)] if stage == 2 else []
    key = sa.Column("id", sa.Integer, primary_key=True)
    sa.Table("product", metadata, key, *columns)
    return metadata


async def finish(alembic, engine):
    def count(env):
        history = "SELECT count(*) FROM alembic_version_history"
        return env.connection("default").exec_driver_sql(history).scalar()

    assert await alembic.run(count) == 8
