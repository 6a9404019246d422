import sqlalchemy as sa
from sqlalchemy.orm import declarative_base
from sqlalchemy_declarative_extensions import declarative_database
from sqlalchemy_declarative_extensions import Function
from sqlalchemy_declarative_extensions import Functions
from sqlalchemy_declarative_extensions import register_alembic_events
from sqlalchemy_declarative_extensions import Row
from sqlalchemy_declarative_extensions import Rows
from sqlalchemy_declarative_extensions import Schemas
from sqlalchemy_declarative_extensions import View
from sqlalchemy_declarative_extensions import Views

register_alembic_events(schemas=True, functions=True, rows=True, views=True)


def models(stage):
    base = declarative_base()

    class Base(base):
        __abstract__ = True
        schemas = Schemas().are("shop")
        functions = Functions().are(
            Function("add_up", f"SELECT {stage}", language="sql", returns="integer")
        )
        views = Views().are(View("shown", f"SELECT {stage} AS stage"))
        rows = Rows().are(*[Row("product", id=1, name="10 %")] * (stage - 1))

    declarative_database(Base)

    class Product(Base):
        __tablename__ = "product"
        id = sa.Column(sa.Integer, primary_key=True)
        name = sa.Column(sa.Text)

    return Base.metadata


async def finish(alembic, engine):
    def name_of(env):
        return (
            env.connection("default")
            .exec_driver_sql("SELECT name FROM product")
            .scalar()
        )

    assert await alembic.run(name_of) == "10 %"
