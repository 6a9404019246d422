import sqlmodel

imports = "import sqlmodel"


def models(stage):
    metadata = sqlmodel.MetaData()
    namespace = {
        "__module__": __name__,
        "__annotations__": {"id": int | None, "name": str},
        "id": sqlmodel.Field(default=None, primary_key=True),
        "name": sqlmodel.Field(max_length=10 * stage),
        "metadata": metadata,
    }
    sqlmodel.SQLModel.metadata.clear()
    type(sqlmodel.SQLModel)(
        f"Hero{stage}",
        (sqlmodel.SQLModel,),
        {
            **{k: v for k, v in namespace.items() if k != "metadata"},
            "__tablename__": "hero",
        },
        table=True,
    )
    return sqlmodel.SQLModel.metadata
