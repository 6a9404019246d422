"""What every process pays for having migrations, whether or not it migrates.

Run it with ``python -m benchmarks.importing``, or with the number of runs. The commands
run twice as often, as what they differ by is smaller than what they take.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from .apps import APPS
from .apps import runner
from .apps import WITHOUT
from .apps import write_app
from .lab import Lab
from .measuring import alternate
from .measuring import compare
from .measuring import Ratio
from .measuring import run_python
from .measuring import Scale
from .measuring import Table
from .results import main
from .tools import BLOCKING

REACH = 0.1
REACH_OF_COMMANDS = 1.05
COMMANDS = ["--help", "routes"]
#: What an app imports of each. This package imports nothing before.
CLASSES = {
    "async_alembic": "Alembic",
    "flask_alembic": "Alembic",
    "flask_migrate": "Migrate",
}
#: The same, with what registers it on an app.
REGISTRATIONS = {
    "async_alembic": """
from async_alembic import Alembic
Alembic(metadatas=db.metadata, engines=engine).init_app(app)
""",
    "flask_alembic": """
from flask_alembic import Alembic
Alembic(metadatas=db.metadata, engines=engine).init_app(app)
""",
    "flask_migrate": """
from flask_migrate import Migrate
Migrate().init_app(app, db)
""",
}
# Nothing of this package may be imported here, nor the standard library beside. A
# collection of garbage that is due by then is due to what was imported before.
BESIDE = """
import gc
import time
import flask
import sqlalchemy
gc.collect()
started = time.perf_counter()
from {module} import {name}
print(time.perf_counter() - started)
"""
WITH_APP = """
import gc
import time
import flask
import sqlalchemy as sa
from flask_sqlalchemy import SQLAlchemy
app = flask.Flask("app", root_path={root!r})
app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
db = SQLAlchemy(app)
engine = sa.create_engine("sqlite://")
gc.collect()
started = time.perf_counter()
{registration}
print(time.perf_counter() - started)
"""


def benchmark(lab: Lab, scale: Scale) -> Iterator[Table]:
    ours, *peers = CLASSES
    beside = {
        module: BESIDE.format(module=module, name=name)
        for module, name in CLASSES.items()
    }
    title = "import beside `flask` and `sqlalchemy`"
    yield compare_code(title, beside, scale, [Ratio(ours, p, REACH) for p in peers])

    with_app = {
        module: WITH_APP.format(root=f"{lab.folder}/{module}", registration=text)
        for module, text in REGISTRATIONS.items()
    }
    title = "import and `init_app()` beside an app of Flask-SQLAlchemy"
    yield compare_code(title, with_app, scale, [Ratio(ours, p, REACH) for p in peers])

    for command in COMMANDS:
        yield compare_command(lab, command, scale)


def compare_code(
    title: str, code: dict[str, str], scale: Scale, ratios: list[Ratio]
) -> Table:
    measures = {name: partial(run_python, text) for name, text in code.items()}
    return compare(title, alternate(measures, scale.runs), ratios)


def compare_command(lab: Lab, command: str, scale: Scale) -> Table:
    measures = {}

    for tool in APPS:
        folder = lab.new_folder()
        write_app(folder, tool, "sqlite://")
        measures[tool] = runner(folder, tool, command)

    ratios = [
        Ratio(tool, WITHOUT, REACH_OF_COMMANDS if tool == BLOCKING else None)
        for tool in APPS
        if tool != WITHOUT
    ]
    samples = alternate(measures, 2 * scale.runs)
    return compare(f"`flask {command}`", samples, ratios)


if __name__ == "__main__":
    main(benchmark)
