"""Revision files get other parents, and nothing else in them changes."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from async_alembic import RevisionFileError
from async_alembic.history.rewriting import with_parents

ALEMBIC = '''"""add "é"

Revision ID: b2
Revises: {doc}
Create Date: 2026-01-01
Revises: nothing

"""
import sqlalchemy as sa  # Revises: a1
revision: str = 'b2'
down_revision: str | None = {value}  # the parent
text = """
Revises: a1
"""
'''
END_OF_LINES = "\n", "\r\n", "\r"


def source(doc: str, value: str, end: str = "\n") -> str:
    return ALEMBIC.format(doc=doc, value=value).replace("\n", end)


@pytest.mark.parametrize("end", END_OF_LINES, ids=repr)
@pytest.mark.parametrize(
    ("doc", "value", "parents", "new_doc", "new_value"),
    [
        ("a1", "'a1'", ["c3"], "c3", "'c3'"),
        ("a1", '"a1"', ["c3", "d4"], "c3, d4", '("c3", "d4")'),
        ("a1, a2", "('a1', 'a2')", ["c3"], "c3", "'c3'"),
        ("", "None", ["c3"], "c3", '"c3"'),
        ("by hand", "'a1'", ["c3"], "by hand", "'c3'"),
    ],
)
def test_the_parents_are_replaced(
    doc: str, value: str, parents: list[str], new_doc: str, new_value: str, end: str
) -> None:
    changed = with_parents("b2.py", source(doc, value, end).encode(), parents)
    assert changed.decode() == source(new_doc, new_value, end)


@pytest.mark.parametrize(
    ("before", "encoding"),
    [(b"", "utf-8"), (codecs.BOM_UTF8, "utf-8"), (b"# coding: latin-1\n", "latin-1")],
)
def test_the_encoding_stays(before: bytes, encoding: str) -> None:
    text = before + source("a1", "'a1'").encode(encoding)
    changed = with_parents("b2.py", text, ["c3"])
    assert changed == before + source("c3", "'c3'").encode(encoding)


def test_a_line_of_the_docstring_may_end_where_the_text_does() -> None:
    text = b'"""Revises:"""\nrevision = "b2"\ndown_revision = None\n'
    changed = with_parents("b2.py", text, ["c3"])
    assert changed == b'"""Revises:"""\nrevision = "b2"\ndown_revision = "c3"\n'


@pytest.mark.parametrize("value", ["'a' + '1'", "PARENT", "'a1'\ndown_revision = 'a2'"])
def test_parents_that_are_computed_are_refused(value: str) -> None:
    with pytest.raises(RevisionFileError, match="not written as a literal"):
        with_parents("b2.py", source("a1", value).encode(), ["c3"])


@given(
    st.text(
        st.characters(exclude_characters='"\\\\\r', exclude_categories=["Cs", "Cc"])
    ),
    st.sampled_from(END_OF_LINES),
    st.sampled_from([b"", codecs.BOM_UTF8]),
)
def test_whatever_else_is_in_a_file_stays(text: str, end: str, before: bytes) -> None:
    """There and back, it is the same file, byte for byte."""
    whole = source("a1", "'a1'", end).replace("add", text).replace("the par", text)
    original = before + whole.encode()
    there = with_parents("b2.py", original, ["c3"])
    assert there != original
    assert with_parents("b2.py", there, ["a1"]) == original
