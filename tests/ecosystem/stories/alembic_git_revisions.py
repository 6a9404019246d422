import subprocess
from pathlib import Path

import sqlalchemy as sa


def prepare(engine):
    subprocess.run(["git", "init", "--quiet"], check=True)
    author = ["-c", "user.name=shop", "-c", "user.email=shop@example.org"]
    commit = ["commit", "--quiet", "--allow-empty", "--message", "begin"]
    subprocess.run(["git", *author, *commit], check=True)


def models(stage):
    if stage == 2:
        # The first revision has to be static.
        template = Path("migrations/script.py.mako")
        text = template.read_text()
        text = text.replace("${repr(down_revision)}", "get_down_revision(revision)")
        line = "from alembic_git_revisions import get_down_revision\nimport sqlalchemy"
        template.write_text(text.replace("import sqlalchemy", line, 1))

    metadata = sa.MetaData()
    columns = [sa.Column("name", sa.Text)] if stage == 2 else []
    key = sa.Column("id", sa.Integer, primary_key=True)
    sa.Table("product", metadata, key, *columns)
    return metadata


async def finish(alembic, engine):
    assert count_dynamic() == 1


def count_dynamic():
    texts = [path.read_text() for path in Path("migrations").glob("*.py")]
    return sum("= get_down_revision(revision)" in text for text in texts)
