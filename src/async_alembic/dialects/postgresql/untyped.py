"""Returns columns without a known type as psycopg2 does."""

from __future__ import annotations

import collections.abc as c
import typing as t

import sqlalchemy as sa
from sqlalchemy.types import NullType

Processor: t.TypeAlias = c.Callable[[t.Any], t.Any]

# OIDs of types
# (https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat).
_CHAR = 18
_JSON = {114, 3802}
_NETWORK = {650, 869}


class Psycopg2NullType(NullType):
    def result_processor(self, dialect: sa.Dialect, coltype: object) -> t.Any:
        if coltype in _JSON:
            return sa.JSON().dialect_impl(dialect).result_processor(dialect, coltype)

        if coltype in _NETWORK:
            return _unless_none(str)

        if coltype == _CHAR:
            return _unless_none(_decode)

        return None


def _unless_none(process: Processor) -> Processor:
    return lambda value: value if value is None else process(value)


def _decode(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
