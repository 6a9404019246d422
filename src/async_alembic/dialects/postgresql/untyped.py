"""Returns columns without a known type as psycopg2 does."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from sqlalchemy.types import NullType

from .texts import TEXTS

_JSON = {114, 3802}


class Psycopg2NullType(NullType):
    def result_processor(self, dialect: sa.Dialect, coltype: object) -> t.Any:
        if coltype in _JSON:
            return sa.JSON().dialect_impl(dialect).result_processor(dialect, coltype)

        return TEXTS.get(t.cast("int", coltype))
