"""What a user may give as a target."""

from __future__ import annotations

import re
import types
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest
import sqlalchemy as sa
from alembic.script import Script
from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from async_alembic import AmbiguousRevisionError
from async_alembic import AsyncAlembicError
from async_alembic import MultipleHeadsError
from async_alembic import RevisionError
from async_alembic import RevisionNotFoundError
from async_alembic import SyncAlembic
from async_alembic.history.targets import includes_current
from async_alembic.history.targets import replace_current
from async_alembic.history.targets import Target
from async_alembic.history.targets import to_ids
from async_alembic.history.targets import to_steps

from ..harness import make_app
from ..harness import write_revision
from ..projects import names

ids = st.text("0123456789abcdef", min_size=1, max_size=12)
directions = st.sampled_from((1, -1))


def once(ids: list[str]) -> list[str]:
    return list(dict.fromkeys(ids))


def script(revision: str) -> Script:
    module = types.ModuleType(f"revision_{revision}")
    module.down_revision = None  # type: ignore[attr-defined]
    return Script(module, revision, f"{revision}.py")


scripts = ids.map(script)
#: What a user may give, and the ids that it stands for.
targets = st.recursive(
    ids.map(lambda id: (id, [id])) | ids.map(lambda id: (script(id), [id])),
    lambda inner: st.lists(inner, min_size=1, max_size=4).flatmap(
        lambda pairs: st.sampled_from((list, tuple)).map(
            lambda cls: (cls(p[0] for p in pairs), [id for p in pairs for id in p[1]])
        )
    ),
    max_leaves=8,
)


@given(targets)
def test_a_target_is_an_id_a_script_or_several_of_them(
    target: tuple[Target, list[str]],
) -> None:
    given, expected = target
    assert to_ids(given) == once(expected)


@pytest.mark.parametrize("target", ["", [], (), ["", "head"]])
def test_an_empty_target_is_refused(target: Target) -> None:
    """It comes from a variable that was not set, and must not mean anything."""
    with pytest.raises(RevisionError, match="empty"):
        to_ids(target)


@given(targets, st.lists(ids))
def test_without_the_word_current_nothing_is_replaced(
    target: tuple[Target, list[str]], current: list[str]
) -> None:
    given, expected = target
    assert not includes_current(given)
    assert replace_current(given, current) == once(expected)


@given(st.lists(ids), st.lists(ids), st.lists(ids))
def test_current_stands_for_where_the_databases_are(
    before: list[str], after: list[str], current: list[str]
) -> None:
    target = [*before, "current", *after]
    assert includes_current("base", target)
    assert once(replace_current(target, current)) == once([*before, *current, *after])


@pytest.mark.parametrize(
    ("target", "up", "down"),
    [
        (1, "+1", "-1"),
        (3, "+3", "-3"),
        (-1, None, "-1"),
        (-3, None, "-3"),
        ("1", "+1", "-1"),
        ("+1", "+1", None),
        ("-1", None, "-1"),
        (" 2 ", " 2 ", " 2 "),
        ("013", "013", "013"),
        ("0", "0", "0"),
        ("1_0", "1_0", "1_0"),
        ("\uff11", "\uff11", "\uff11"),
        ("\u0663", "\u0663", "\u0663"),
        ("head", "head", "head"),
        ("heads", "heads", "heads"),
        ("base", "base", "base"),
        ("abc+2", "abc+2", "abc+2"),
        ("abc-2", "abc-2", "abc-2"),
        ("users@head", "users@head", "users@head"),
        ("users@+1", "users@+1", "users@+1"),
        ("users@abc", "users@abc", "users@abc"),
        ("0a1b", "0a1b", "0a1b"),
    ],
)
def test_a_number_counts_revisions_and_all_else_is_a_name(
    target: int | str, up: str | None, down: str | None
) -> None:
    """The sign of a number cannot be that of the other direction."""

    def steps(sign: Literal[1, -1]) -> str | None:
        try:
            return to_steps(target, lambda _: False, sign)[0]
        except RevisionError as e:
            assert f"Run 'db {'down' if sign > 0 else 'up'}grade {target}'" in str(e)
            return None

    assert (steps(1), steps(-1)) == (up, down)


@given(st.from_regex(r"[0-9]{1,12}", fullmatch=True), directions)
def test_a_number_is_an_id_if_there_is_such_a_revision(
    number: str, sign: Literal[1, -1]
) -> None:
    """The ids that are made here are numbers too."""
    assert to_steps(number, {number}.__contains__, sign) == [number]
    assert to_steps(script(number), {number}.__contains__, sign) == [number]


@given(st.integers(1, 10**12), directions)
def test_an_int_always_counts(number: int, sign: Literal[1, -1]) -> None:
    """As in Flask-Alembic, whose users have revisions that are named by numbers."""
    assert to_steps(number, lambda _: True, sign) == [f"{number * sign:+d}"]
    assert to_steps(-number, lambda _: True, -1) == [f"{-number:+d}"]


@given(st.lists(ids, min_size=2, unique=True), directions)
def test_several_targets_are_never_counts(
    several: list[str], sign: Literal[1, -1]
) -> None:
    assert to_steps(several, lambda _: False, sign) == several


@given(st.text(min_size=1), directions)
def test_any_text_is_a_count_or_stays_as_it_is(text: str, sign: Literal[1, -1]) -> None:
    try:
        (step,) = to_steps(text, lambda _: False, sign)
    except RevisionError:
        assert int(text) * sign < 0
        return

    if step != text:
        assert abs(int(step)) == abs(int(text))


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncAlembic]:
    """Two branches, ``aaaa1 - aaaa2 - aaaa3`` and ``bbbb1 - bbbb2``, and ids that are
    numbers after that.
    """
    root = tmp_path_factory.mktemp("revisions")
    app = make_app("flask", root)
    engine = sa.create_engine("sqlite://")
    alembic = SyncAlembic(app, metadatas=sa.MetaData(), engines=engine)
    folder = root / "migrations"
    write_revision(folder, "aaaa1", labels=["users"])
    write_revision(folder, "aaaa2", "aaaa1")
    write_revision(folder, "aaaa3", "aaaa2")
    write_revision(folder, "bbbb1", labels=["orders"])
    write_revision(folder, "bbbb2", "bbbb1")
    write_revision(folder, "3", "bbbb2")
    yield alembic
    engine.dispose()


@pytest.fixture
def alembic(history: SyncAlembic) -> SyncAlembic:
    """The history, on an empty database."""
    history.stamp("base", purge=True)
    return history


@pytest.mark.parametrize(
    ("start", "target", "applied"),
    [
        ([], "aaaa2", ["aaaa1", "aaaa2"]),
        ([], "users@head", ["aaaa1", "aaaa2", "aaaa3"]),
        ([], "aaaa1+1", ["aaaa1", "aaaa2"]),
        ([], "users@aaaa1+1", ["aaaa1", "aaaa2"]),
        ([], "orders@head", ["bbbb1", "bbbb2", "3"]),
        ([], ["aaaa1", "bbbb1"], ["aaaa1", "bbbb1"]),
        (["aaaa1"], "+1", ["aaaa2"]),
        (["aaaa1"], "+2", ["aaaa2", "aaaa3"]),
        (["aaaa1"], 1, ["aaaa2"]),
        (["aaaa1"], "1", ["aaaa2"]),
        (["aaaa1", "bbbb1"], "users@+1", ["aaaa2"]),
        (["bbbb2"], "orders@+1", ["3"]),
        (["bbbb1"], "3", ["bbbb2", "3"]),
        (["bbbb2"], "bbbb2", []),
        (["aaaa3", "3"], "heads", []),
    ],
)
def test_upgrade_goes_to_every_kind_of_target(
    alembic: SyncAlembic, start: list[str], target: str | int, applied: list[str]
) -> None:
    alembic.stamp(start or "base")
    assert sorted(names(alembic.upgrade(target))) == sorted(applied)


@pytest.mark.parametrize(
    ("start", "target", "reverted"),
    [
        (["aaaa3"], -1, ["aaaa3"]),
        (["aaaa3"], 1, ["aaaa3"]),
        (["aaaa3"], "1", ["aaaa3"]),
        (["aaaa3"], "-2", ["aaaa3", "aaaa2"]),
        (["aaaa3"], "base", ["aaaa3", "aaaa2", "aaaa1"]),
        (["aaaa3"], "aaaa1", ["aaaa3", "aaaa2"]),
        (["aaaa3"], "aaaa3-1", ["aaaa3"]),
        (["aaaa3"], "aaaa1+1", ["aaaa3"]),
        (["aaaa3", "3"], "users@-1", ["aaaa3"]),
        (["aaaa3", "3"], "orders@base", ["3", "bbbb2", "bbbb1"]),
        (["3"], "3", []),
    ],
)
def test_downgrade_goes_to_every_kind_of_target(
    alembic: SyncAlembic, start: list[str], target: str | int, reverted: list[str]
) -> None:
    alembic.stamp(start)
    assert names(alembic.downgrade(target)) == reverted


def test_the_beginning_of_an_id_is_enough(alembic: SyncAlembic) -> None:
    folder = Path(alembic.script_directory.dir)
    added = write_revision(folder, "cccc1234567")

    try:
        assert names(alembic.upgrade("cccc1")) == ["cccc1234567"]
        assert names(alembic.downgrade("cccc@base")) == ["cccc1234567"]
    finally:
        added.unlink()
        alembic.stamp("base", purge=True)


@pytest.mark.parametrize("method", ["upgrade", "downgrade", "stamp", "log"])
def test_a_part_that_fits_several_ids_is_ambiguous(
    alembic: SyncAlembic, method: str
) -> None:
    with pytest.raises(AmbiguousRevisionError, match="start with 'aaaa'") as caught:
        getattr(alembic, method)("aaaa")

    assert caught.value.revision == "aaaa"


@pytest.mark.parametrize("method", ["upgrade", "downgrade", "stamp", "log"])
@pytest.mark.parametrize("target", ["zzzz", "zzzz@head", "users@zzzz", "", "@"])
def test_a_target_that_is_not_there_is_named(
    alembic: SyncAlembic, method: str, target: str
) -> None:
    with pytest.raises(RevisionError):
        getattr(alembic, method)(target)


@pytest.mark.parametrize("method", ["upgrade", "stamp"])
def test_one_head_cannot_be_meant_where_there_are_several(
    alembic: SyncAlembic, method: str
) -> None:
    with pytest.raises(MultipleHeadsError) as caught:
        getattr(alembic, method)("head")

    assert {*caught.value.heads} == {"aaaa3", "3"}


@pytest.mark.parametrize(
    "downgrade_to", [["aaaa1", "bbbb1"], ("base", "aaaa1"), ["head", "+1"]]
)
def test_downgrade_goes_to_one_target_only(
    alembic: SyncAlembic, downgrade_to: Sequence[str]
) -> None:
    """Alembic's takes one: of several, all but the first would be ignored."""
    alembic.stamp(["aaaa3", "3"])

    with pytest.raises(RevisionError):
        alembic.downgrade(downgrade_to)

    assert {*names(alembic.current())} == {"aaaa3", "3"}


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("aaaa1", "+1", ["aaaa2", "aaaa1"]),
        ("aaaa1", "aaaa1+1", ["aaaa2", "aaaa1"]),
        ("aaaa1", "+9", ["aaaa3", "aaaa2", "aaaa1"]),
        ("aaaa1", "aaaa3-1", ["aaaa2", "aaaa1"]),
        ("users@-1", "heads", ["aaaa3", "aaaa2"]),
        ("aaaa1", "users@-1", ["aaaa2", "aaaa1"]),
        ("base", "aaaa1+1", ["aaaa2", "aaaa1"]),
        ("base", "users@+2", ["aaaa2", "aaaa1"]),
        ("current", "+1", ["aaaa3", "aaaa2"]),
        ("users@base", "heads", ["aaaa3", "aaaa2", "aaaa1"]),
        ("orders@base", "current", []),
    ],
)
def test_the_ends_of_a_log_are_those_of_alembic(
    alembic: SyncAlembic, start: str, end: str, expected: list[str]
) -> None:
    alembic.stamp("aaaa2")
    assert names(alembic.log(start, end)) == expected


@pytest.mark.parametrize(("start", "end"), [("base", "+1"), ("current", "+1")])
def test_a_log_does_not_count_from_two_branches(
    alembic: SyncAlembic, start: str, end: str
) -> None:
    alembic.stamp(["aaaa1", "bbbb1"])

    with pytest.raises(RevisionError, match="ambiguous"):
        alembic.log(start, end)


@pytest.mark.parametrize("stamped", ["base", "aaaa2"])
@pytest.mark.parametrize("target", ["-1", "+1", "users@-1", "aaaa1+1", "head-1"])
def test_a_stamp_does_not_count(
    alembic: SyncAlembic, stamped: str, target: str
) -> None:
    """From where is not clear; Alembic counts from the head, on an empty database."""
    alembic.stamp(stamped)

    for stamp in alembic.stamp, alembic.stamp_sql:
        with pytest.raises(RevisionNotFoundError, match="counts revisions"):
            stamp(target)

    assert names(alembic.current()) == ([] if stamped == "base" else [stamped])


def test_show_counts_down_from_the_heads_of_a_branch(alembic: SyncAlembic) -> None:
    assert names(alembic.show("users@-2")) == ["aaaa1"]
    assert {*names(alembic.show("-1"))} == {"aaaa2", "bbbb2"}

    with pytest.raises(RevisionError, match="not that many revisions"):
        alembic.show("-3")

    with pytest.raises(RevisionNotFoundError, match=r"'\+1' counts revisions"):
        alembic.show("+1")


def test_a_downgrade_at_base_says_so(alembic: SyncAlembic) -> None:
    with pytest.raises(RevisionError, match="'default' is at base"):
        alembic.downgrade()


def test_a_downgrade_of_one_of_two_branches_can_be_named(alembic: SyncAlembic) -> None:
    alembic.stamp(["aaaa3", "3"])

    with pytest.raises(MultipleHeadsError, match="as in '(.+@-1)'") as caught:
        alembic.downgrade()

    [target] = re.findall("as in '(.+)'", str(caught.value))
    assert names(alembic.downgrade(target)) == [caught.value.heads[0]]


parts = st.sampled_from(
    [
        "aaaa1",
        "aaaa",
        "bbbb2",
        "3",
        "users",
        "orders",
        "head",
        "heads",
        "base",
        "current",
    ]
)
odd_targets = (
    st.lists(
        parts | st.sampled_from(["@", "+", "-", "+1", "-1", "0", ":", " ", "%"]),
        max_size=4,
    ).map("".join)
    | st.text(max_size=8)
    | st.lists(parts, max_size=3)
    | st.integers(-8, 8)
)


@pytest.mark.parametrize("stamped", [[], ["aaaa2"], ["aaaa3", "3"]], ids=str)
@settings(max_examples=60, deadline=None)
@given(target=odd_targets)
@example(target="")
@example(target="@")
@example(target=[])
@example(target="head@")
@example(target="aaaa3+1")
@example(target="aaaa1-1")
@example(target="orders@-1")
def test_any_target_works_or_fails_with_a_sentence(
    history: SyncAlembic, stamped: list[str], target: Target | int
) -> None:
    """Alembic has assertions where a target is of a shape that it did not expect."""
    calls: list[Callable[[], object]] = [
        lambda: history.upgrade(target),
        lambda: history.downgrade(target),
    ]

    if not isinstance(target, int):
        calls += [lambda: history.stamp(target), lambda: history.log(end=target)]

    for call in calls:
        history.stamp(stamped or "base", purge=True)

        try:
            call()
        except AsyncAlembicError as e:
            assert str(e).endswith(".") and len(str(e)) > 20
            assert sorted(names(history.current())) == sorted(stamped)
