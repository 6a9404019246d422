from pathlib import Path

import sqlalchemy as sa

options = {
    "post_write_hooks": {
        "hooks": "linear",
        "linear.type": "console_scripts",
        "linear.entrypoint": "alembic-linear-update",
    }
}


def prepare(engine):
    Path("alembic.ini").write_text(
        "[alembic]\nscript_location = migrations\nversion_locations = migrations\n"
        "path_separator = newline\n"
    )


def models(stage):
    metadata = sa.MetaData()
    columns = [sa.Column("name", sa.Text)] if stage == 2 else []
    key = sa.Column("id", sa.Integer, primary_key=True)
    sa.Table("product", metadata, key, *columns)
    return metadata


async def finish(alembic, engine):
    (head,) = await alembic.heads()
    assert head.revision in head_file()


def head_file():
    (path,) = Path("migrations").rglob("head.txt")
    return path.read_text()
