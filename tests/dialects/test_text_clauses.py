"""SQL without parameters, as ``sa.text()`` reads it."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from async_alembic.dialects.text_clauses import escaped


@given(st.text(alphabet=":\\ab '1", max_size=12))
def test_a_text_clause_has_the_sql_and_no_parameters(sql: str) -> None:
    compiled = sa.text(escaped(sql)).compile()
    assert (str(compiled), compiled.params) == (sql, {})


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("'12:00'::time", "'12:00'::time"),
        ("""'{"a":true}'::json""", """'{"a"\\:true}'::json"""),
    ],
)
def test_only_what_may_be_a_parameter_is_escaped(sql: str, text: str) -> None:
    """A revision is read by people."""
    assert escaped(sql) == text
