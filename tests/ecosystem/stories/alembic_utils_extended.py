import functools

from .alembic_utils import models_with

models = functools.partial(models_with, "alembic_utils_extended")
