"""Reads all tables of a comparison at once, in every schema.

Alembic does so for one schema, and reads the tables of others one by one.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    import collections.abc as c

    import sqlalchemy as sa
    from alembic.autogenerate.api import AutogenContext

    #: What is known of a table, by its schema and name.
    Infos: t.TypeAlias = dict[tuple[str | None, str], t.Any]

_KINDS = (
    "columns",
    "pk_constraint",
    "foreign_keys",
    "indexes",
    "unique_constraints",
    "table_comment",
    "check_constraints",
    "table_options",
)


def read(
    autogen_context: AutogenContext, schemas: c.Iterable[str | None]
) -> dict[str, Infos]:
    """Read the tables of the schemas, but for those that the app's filter leaves out.

    :param autogen_context: Alembic's context of the comparison.
    :param schemas: The schemas that are compared, ``None`` for the default one.
    :return: What is known of the tables, by kind: ``columns``, ``indexes`` and so on.
    """
    inspector = autogen_context.inspector
    infos: dict[str, Infos] = {kind: {} for kind in _KINDS}

    for schema in schemas:
        available = inspector.get_table_names(schema)
        names = [
            name
            for name in available
            if autogen_context.run_name_filters(name, "table", {"schema_name": schema})
        ]

        for kind in _KINDS if names else ():
            infos[kind].update(_read(inspector, kind, schema, names, available))

    # Alembic looks there, and reads what it does not find. It has no public way.
    inspector.info_cache.update({f"alembic_{kind}": infos[kind] for kind in _KINDS})
    return infos


def _read(
    inspector: sa.Inspector,
    kind: str,
    schema: str | None,
    names: list[str],
    available: list[str],
) -> Infos:
    # Most of the tables are read faster with the others than without.
    is_most = len(names) > len(available) / 2
    method = getattr(inspector, f"get_multi_{kind}")
    infos: Infos = method(schema=schema, filter_names=None if is_most else names)
    return infos
