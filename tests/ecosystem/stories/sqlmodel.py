import sqlmodel


def models(stage):
    sqlmodel.SQLModel.metadata.clear()

    class Hero(sqlmodel.SQLModel, table=True):
        __table_args__ = {"extend_existing": True}
        id: int | None = sqlmodel.Field(default=None, primary_key=True)
        name: str = sqlmodel.Field(max_length=10 * stage)

    return sqlmodel.SQLModel.metadata
