"""Statements that a driver gets as they are, whatever percent signs and colons they
have.
"""

from __future__ import annotations

import typing as t

from .copies import for_files

if t.TYPE_CHECKING:
    import sqlalchemy as sa
    from sqlalchemy.schema import ExecutableDDLElement


def execute_verbatim(connection: sa.Connection, statement: str) -> t.Any:
    """Execute a statement without parameters. Percent signs need no escaping."""
    # Connection.execution_options() would keep the option for later statements.
    options = {"no_parameters": True}
    return connection.exec_driver_sql(statement, execution_options=options)


def execute_ddl_verbatim(
    connection: sa.Connection, statement: ExecutableDDLElement
) -> None:
    """Execute a statement with the colons that its texts have."""
    dialect = for_files(connection.dialect)
    execute_verbatim(connection, str(statement.compile(dialect=dialect)))


def quoted_verbatim(connection: sa.Connection, name: str) -> str:
    """Quote a name for :func:`execute_verbatim`."""
    return for_files(connection.dialect).identifier_preparer.quote_identifier(name)
