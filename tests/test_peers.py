"""Whoever comes from another tool finds each of its commands and options."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from async_alembic.cli.group import INSTEAD as INSTEAD_OF_COMMANDS

from .conftest import require
from .peer_commands import INSTEAD
from .peer_commands import our_group
from .peer_commands import Ours
from .peer_commands import PAGE
from .peer_commands import page
from .peer_commands import Peer
from .peer_commands import PEERS


@pytest.fixture(params=PEERS, ids=lambda make: make.__name__)
def peer(request: pytest.FixtureRequest) -> Peer:
    make: Callable[[], Peer] = request.param

    try:
        return make()
    except ImportError as e:
        require(f"{make.__name__} is not installed: {e}")
        raise


def test_each_command_works_or_leads_to_what_does(peer: Peer) -> None:
    assert len(peer.commands) > 10
    group = our_group()
    lost = {name for name in peer.commands if not Ours(group, name).accepts}
    assert lost <= INSTEAD.keys() & INSTEAD_OF_COMMANDS.keys()


def test_each_option_works_or_leads_to_what_does(peer: Peer) -> None:
    group = our_group()
    lost = [
        f"{name} {option}"
        for name, options in peer.commands.items()
        if (ours := Ours(group, name)).accepts
        for option in options
        if ours.instead_of(option) is None
    ]
    assert lost == []


def test_the_page_is_what_the_tools_are(peer: Peer) -> None:
    """``python -m tests.peer_commands`` writes it."""
    text = PAGE.read_text()

    if f"## {peer.name} {peer.version}\n" not in text:
        pytest.skip(f"the page is about another version than {peer.version}")

    _, section = page([peer]).split("\n## ")
    assert section.strip() in text
