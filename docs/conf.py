"""Sphinx: https://www.sphinx-doc.org/en/master/usage/configuration.html"""

from __future__ import annotations

import logging
import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

# Sphinx shows what the modules that it imports log.
logging.getLogger("alembic").setLevel(logging.WARNING)

project = "async-alembic"
author = "async-alembic contributors"
copyright = author
release = version = version_of("async-alembic")

extensions = [
    "annotations",
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx_click",
    "sphinx_copybutton",
]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

# Commands are copied without their prompt and their output.
copybutton_prompt_text = "$ "
copybutton_exclude = ".linenos"

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True

# Each name that is referred to must exist, here or in an inventory.
nitpicky = True
# Type variables and aliases, which are explained where they are used, and a proxy.
nitpick_ignore = [
    ("py:class", name)
    for name in [
        "AppFactory",
        "Comparer",
        "Directives",
        "EngineSource",
        "Filter",
        "Listener",
        "Metadatas",
        "Renderer",
        "State",
        "Steps",
        "T",
        "TenantSource",
        "Urls",
        "async_alembic.extension.proxies.AwaitedProxy",
        "async_alembic.results.T",
    ]
]
# CI does not reach these sites. Our inventories have the names that we use, in Sphinx's
# format 1. tests/test_inventories.py imports them.
intersphinx_mapping = {
    name: (url, f"inventories/{name}.inv")
    for name, url in {
        "alembic": "https://alembic.sqlalchemy.org/en/latest/",
        "click": "https://click.palletsprojects.com/en/stable/",
        "flask": "https://flask.palletsprojects.com/en/stable/",
        "python": "https://docs.python.org/3/",
        "quart": "https://quart.palletsprojects.com/en/latest/",
        "sqlalchemy": "https://docs.sqlalchemy.org/en/20/",
    }.items()
}

html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = "async-alembic"
html_static_path = ["_static"]
html_css_files = ["definitions.css"]
exclude_patterns = ["_build", "_ext"]
