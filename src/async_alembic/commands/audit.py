"""Reads who has run which revision."""

from __future__ import annotations

import typing as t

from ..errors import converted_database_errors
from ..migration.audit import Audit

if t.TYPE_CHECKING:
    from ..migration.environment import Environment
    from ..results import AppliedRevision


@converted_database_errors()
def applied(env: Environment) -> list[AppliedRevision]:
    found = []

    for name in env.names:
        env.find_place(name)
        found += Audit(env, name).read()
        env.end_transaction(name)

    return sorted(found, key=lambda applied: applied.applied_at, reverse=True)
