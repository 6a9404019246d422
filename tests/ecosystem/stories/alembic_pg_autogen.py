import alembic_pg_autogen  # noqa: F401
import sqlalchemy as sa

context = {"autogenerate_plugins": ["alembic.autogenerate.*", "alembic_pg_autogen.*"]}


def models(stage):
    context["pg_functions"] = [
        "CREATE OR REPLACE FUNCTION public.add_up(a integer) RETURNS integer"
        f" LANGUAGE sql AS $$ SELECT a + {stage} $$"
    ]
    metadata = sa.MetaData()
    sa.Table("product", metadata, sa.Column("id", sa.Integer, primary_key=True))
    return metadata
