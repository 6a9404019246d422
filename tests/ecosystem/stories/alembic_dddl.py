import sqlalchemy as sa
from alembic_dddl import DDL
from alembic_dddl import register_ddl

options = {"alembic_dddl": {"scripts_location": "ddl"}}


def models(stage):
    metadata = sa.MetaData()
    sa.Table("product", metadata, sa.Column("id", sa.Integer, primary_key=True))
    create = f"CREATE OR REPLACE VIEW shown AS SELECT {stage} AS stage"
    register_ddl(DDL("shown", create, "DROP VIEW IF EXISTS shown"))
    return metadata
