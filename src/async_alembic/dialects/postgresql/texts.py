"""Values as the texts that the server sends for them, which psycopg2 returns for types
that it does not know
(https://www.postgresql.org/docs/current/datatype-geometric.html and others).
"""

from __future__ import annotations

import collections.abc as c
import math
import typing as t

Convert: t.TypeAlias = c.Callable[[t.Any], str]


def _char(value: bytes) -> str:
    return value.decode()


def _bits(value: t.Any) -> str:
    # In groups of four.
    return str(value.as_string()).replace(" ", "")


def _lsn(value: int) -> str:
    return f"{value >> 32:X}/{value & 0xFFFFFFFF:X}"


def _tid(value: tuple[int, int]) -> str:
    return f"({value[0]},{value[1]})"


def _snapshot(value: tuple[int, int, tuple[int, ...]]) -> str:
    oldest, next_, running = value
    return f"{oldest}:{next_}:{','.join(map(str, running))}"


def _vector(value: c.Iterable[int]) -> str:
    return " ".join(map(str, value))


def _number(value: float) -> str:
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"

    return "NaN" if math.isnan(value) else repr(value).removesuffix(".0")


def _numbers(values: c.Iterable[float]) -> str:
    return ",".join(map(_number, values))


def _point(value: c.Iterable[float]) -> str:
    return f"({_numbers(value)})"


def _points(values: c.Iterable[c.Iterable[float]]) -> str:
    return ",".join(map(_point, values))


def _line(value: c.Iterable[float]) -> str:
    return f"{{{_numbers(value)}}}"


def _segment(value: c.Iterable[c.Iterable[float]]) -> str:
    return f"[{_points(value)}]"


def _path(value: t.Any) -> str:
    return f"({_points(value)})" if value.is_closed else _segment(value)


def _polygon(value: c.Iterable[c.Iterable[float]]) -> str:
    return f"({_points(value)})"


def _circle(value: t.Any) -> str:
    center, radius = value
    return f"<{_point(center)},{_number(radius)}>"


def _processor(convert: Convert) -> c.Callable[[t.Any], t.Any]:
    def process(value: t.Any) -> t.Any:
        if value is None or isinstance(value, str):
            return value

        return convert(value)

    return process


def _array_processor(convert: Convert) -> c.Callable[[t.Any], t.Any]:
    process_item = _processor(convert)

    def process(value: t.Any) -> t.Any:
        if isinstance(value, list):
            return [process(item) for item in value]

        return process_item(value)

    return process


#: The OIDs of a type and of its arrays
#: (https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat).
_TYPES: dict[tuple[int, int], Convert] = {
    (18, 1002): _char,  # "char"
    (1560, 1561): _bits,  # bit
    (1562, 1563): _bits,  # varbit
    (28, 1011): str,  # xid
    (29, 1012): str,  # cid
    (5069, 271): str,  # xid8
    (3220, 3221): _lsn,  # pg_lsn
    (27, 1010): _tid,  # tid
    (2970, 2949): _snapshot,  # txid_snapshot
    (5038, 5039): _snapshot,  # pg_snapshot
    (869, 1041): str,  # inet
    (650, 651): str,  # cidr
    (600, 1017): _point,  # point
    (628, 629): _line,  # line
    (601, 1018): _segment,  # lseg
    (603, 1020): _points,  # box
    (602, 1019): _path,  # path
    (604, 1027): _polygon,  # polygon
    (718, 719): _circle,  # circle
}
#: What processes the values of a type, by its OID.
TEXTS: dict[int, c.Callable[[t.Any], t.Any]] = {
    oid: process
    for (type_, array), convert in _TYPES.items()
    for oid, process in [
        (type_, _processor(convert)),
        (array, _array_processor(convert)),
    ]
}
# Arrays of these would look the same to a processor.
TEXTS |= {oid: _processor(_vector) for oid in (22, 30)}  # int2vector, oidvector
