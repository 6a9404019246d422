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
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_click",
    "sphinx_copybutton",
]
myst_heading_anchors = 3

# Commands are copied without their prompt and their output.
copybutton_prompt_text = "$ "
copybutton_exclude = ".linenos"

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True

html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = "async-alembic"
exclude_patterns = ["_build", "_ext"]
