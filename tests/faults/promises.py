"""What may be left after a fault, and the names of what is."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field

from .databases import Database
from .databases import INVALID
from .databases import State
from .history import BASE
from .history import HEAD
from .history import REVISIONS
from .site import Site

BEFORE_HEAD = REVISIONS[-2]
#: Between the statement of an autocommit block and the row of the version table.
WITH_INDEX = f"{BEFORE_HEAD} with its index"
#: As an interrupted CREATE INDEX CONCURRENTLY leaves it.
WITH_INVALID_INDEX = f"{BEFORE_HEAD} with an invalid index"
#: A version table without a row was made by itself.
EMPTY = f"{BASE} with a version table"
#: Some statements of a revision, where DDL cannot be rolled back.
BETWEEN = "between revisions"
BROKEN = "broken"
#: As far as an upgrade got.
ORDER = [
    BASE,
    EMPTY,
    *REVISIONS[:-1],
    WITH_INVALID_INDEX,
    WITH_INDEX,
    HEAD,
    BETWEEN,
    BROKEN,
]


def allowed_outcomes(database: str, *, one_each: bool) -> set[str]:
    """The names of what may be left.

    :param database: The kind of database.
    :param one_each: Whether each revision has a transaction.
    """
    boundaries = {BASE, *REVISIONS, EMPTY}

    match database:
        case "sqlite":
            return boundaries if one_each else {BASE, HEAD}
        case "postgresql":
            # The autocommit block commits what is before it.
            in_one = {BASE, BEFORE_HEAD, HEAD}
            blocks = {WITH_INDEX, WITH_INVALID_INDEX}
            return blocks | (boundaries if one_each else in_one)
        case _:
            return boundaries | {WITH_INDEX, BETWEEN}


@dataclass
class References:
    """The states that upgrades without a fault come to.

    :param at: The state at each revision.
    :param between: Every state that could be seen on the way.
    """

    at: dict[str, State]
    between: set[State] = field(default_factory=set)

    def name(self, state: State) -> str | None:
        """The name of a state, or None if it should not exist."""
        for revision, expected in self.at.items():
            if state == expected:
                return revision

        if state == State((), self.at[BASE].content):
            return EMPTY

        if state.versions == (BEFORE_HEAD,):
            if state.content == self.at[HEAD].content:
                return WITH_INDEX

            if validated(state).content == self.at[HEAD].content:
                return WITH_INVALID_INDEX

        return BETWEEN if state in self.between else None

    def difference(self, state: State) -> str:
        """How a state that should not exist differs from that of its own revision."""
        revision = next(iter(state.versions or ()), BASE)
        expected = self.at.get(revision, self.at[BASE]).content
        more = [f"+ {line}" for line in sorted(state.content - expected)]
        less = [f"- {line}" for line in sorted(expected - state.content)]
        return f"{state.versions} with {'; '.join([*more, *less])}"


def validated(state: State) -> State:
    """The state as if every index were valid."""
    content = frozenset(line.removesuffix(INVALID) for line in state.content)
    return State(state.versions, content)


def make_references(site: Site, database: Database) -> References:
    """Upgrade empty databases to each revision, and look at what is between them."""
    states = {}

    for revision in [BASE, *REVISIONS]:
        site.dispose()
        database.reset()

        if revision != BASE:
            site.upgrade(revision)

        states[revision] = database.state()

    references = References(states)

    if not database.rolls_ddl_back:
        site.dispose()
        database.reset()
        site.trips.watch = lambda: references.between.add(database.state())

        try:
            site.upgrade()
        finally:
            site.trips.watch = None

    return references
