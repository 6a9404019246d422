"""The command for databases that were made without migrations."""

from __future__ import annotations

from .project import on_every_app
from .project import on_one_app
from .project import Project


@on_every_app
def test_an_empty_database_is_upgraded(db: Project) -> None:
    assert db("adopt").endswith("The database was empty, and was upgraded to c3.\n")
    assert db("adopt") == "The database is under migrations already, at c3.\n"


@on_one_app
def test_one_that_is_equal_to_the_models_is_stamped(db: Project) -> None:
    db("upgrade")
    db.look.execute(
        db.engine, "DROP TABLE alembic_version", "CREATE TABLE legacy (id INTEGER)"
    )
    assert db("adopt") == (
        "The database is equal to the models, and was stamped c3.\n"
        "  in no model, and left alone: legacy\n"
    )


@on_one_app
def test_one_in_between_fails(db: Project) -> None:
    db.look.execute(db.engine, "CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY)")
    assert db("adopt", fails=1) == (
        "The database differs from the models. Nothing was written:\n"
        "  add table posts\n"
        "  add table tags\n"
    )
    assert db.tables == {"users"}
