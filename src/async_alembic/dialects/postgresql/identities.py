from __future__ import annotations

import typing as t

import sqlalchemy as sa

if t.TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine


def completed(identity: sa.Identity, type_: TypeEngine[t.Any]) -> sa.Identity:
    """Return an identity with all of its options, as the server shows it
    (https://www.postgresql.org/docs/current/sql-createsequence.html).

    :param identity: The identity of a model.
    :param type_: The type that the column has in the database.
    """
    largest = 2 ** (_bits(type_) - 1) - 1
    increment = identity.increment or 1
    lower, upper = (1, largest) if increment > 0 else (-largest - 1, -1)
    lower = lower if identity.minvalue is None else identity.minvalue
    upper = upper if identity.maxvalue is None else identity.maxvalue
    first = lower if increment > 0 else upper
    return sa.Identity(
        always=bool(identity.always),
        start=first if identity.start is None else identity.start,
        increment=increment,
        minvalue=lower,
        maxvalue=upper,
        cycle=bool(identity.cycle),
        cache=identity.cache or 1,
    )


def _bits(type_: TypeEngine[t.Any]) -> int:
    match type_:
        case sa.BigInteger():
            return 64
        case sa.SmallInteger():
            return 16

    return 32
