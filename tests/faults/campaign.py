"""A fault at every round trip of an upgrade, and what is found after each."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from typing import Self

from async_alembic import MigrationError
from async_alembic import PartialRevisionError

from ..migration.test_op_per_task import left_in_modules
from .databases import Database
from .databases import open_database
from .endings import described
from .endings import Ending
from .history import BASE
from .history import HEAD
from .history import REVISIONS
from .kinds import Kind
from .promises import allowed_outcomes
from .promises import BETWEEN
from .promises import BROKEN
from .promises import EMPTY
from .promises import make_references
from .promises import References
from .promises import validated
from .promises import WITH_INDEX
from .promises import WITH_INVALID_INDEX
from .site import Site
from .subject import Subject
from .trips import At

#: What an upgrade by one revision leads to.
FIRST_STEPS: dict[str | None, str] = {
    EMPTY: REVISIONS[0],
    **dict(zip([BASE, *REVISIONS], REVISIONS, strict=False)),
}
#: What is known of each driver's databases.
_references: dict[str, References] = {}


@dataclass
class Report:
    """What was found after the faults of one kind.

    :param trips: The round trips of an upgrade without a fault.
    :param outcomes: How often each state was found.
    :param failures: The promises that were broken, and where.
    """

    trips: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def strike_everywhere(subject: Subject, kind: Kind) -> Report:
    """Upgrade an empty database once for each fault."""
    report = Report()

    with (
        open_database(subject.url) as database,
        Campaign(subject, database) as campaign,
    ):
        report.trips = kind.upgrade(campaign.fresh_site(), None).trips

        for at in kind.places(report.trips):
            outcome, complaints = campaign.strike(kind, at)
            report.outcomes[outcome] += 1
            place = f"{at.moment} {at.number}, {report.trips[at.number]}"
            report.failures += [f"{place}: {complaint}" for complaint in complaints]

    return report


class Campaign:
    """A site that is upgraded again and again. Another one takes its place after a
    fault that it did not stand, so that the next one is not blamed for it.
    """

    def __init__(self, subject: Subject, database: Database) -> None:
        self.subject = subject
        self.database = database
        self.site = self._new_site()
        self._shown: set[str | None] = set()
        self.allowed = allowed_outcomes(
            subject.backend.database, one_each=subject.one_each
        )

        if subject.backend.id not in _references:
            _references[subject.backend.id] = make_references(self.site, database)

        self.references = _references[subject.backend.id]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.site.close()

    def fresh_site(self) -> Site:
        """The site, with an empty database and no connection."""
        self.site.dispose()
        self.database.reset()
        return self.site

    def strike(self, kind: Kind, at: At) -> tuple[str, list[str]]:
        """Have a fault somewhere.

        :return: The name of what it leaves in the database, and what is wrong.
        """
        site = self.fresh_site()
        modules = left_in_modules()
        ending = kind.upgrade(site, at)
        complaints = [*self._told(ending), *self._held()]
        state = self.database.state()
        outcome = self.references.name(state)

        if outcome is None:
            complaints.append(f"it is at {self.references.difference(state)}")
        elif outcome not in self.allowed or (ending.completed and outcome != HEAD):
            complaints.append(f"it is at {outcome}")

        if left_in_modules() != modules:
            complaints.append("something is left in 'alembic.op' or 'alembic.context'")

        complaints += self._kept(outcome)

        if complaint := self._upgraded_again(outcome):
            complaints.append(complaint)

        if complaints:
            self._start_anew()

        return outcome or BROKEN, complaints

    def _told(self, ending: Ending) -> Iterator[str]:
        if ending.complaint is not None:
            yield ending.complaint

        if not ending.struck:
            yield f"it has not struck in {len(ending.trips)} trips"

    def _held(self) -> Iterator[str]:
        """What is still held: connections, locks and transactions."""
        if count := self.site.checked_out():
            yield f"{count} connections are checked out"

        yield from self.database.wait(allowed=1)

        try:
            unsound = self.site.connect(self.database.unsound)
        except Exception as error:
            unsound = described(error)

        if unsound is not None:
            yield f"the connection of the pool: {unsound}"

    def _kept(self, outcome: str | None) -> Iterator[str]:
        """What is wrong with the record of a revision that is half applied."""
        record = self.database.record()
        is_half = outcome in {BETWEEN, WITH_INDEX} and not self.database.rolls_ddl_back

        if not record:
            if is_half:
                yield f"it is at {outcome}, of which there is no record"

            return

        if not is_half and None not in record:
            yield f"it is at {outcome}, with the record {record}"

        try:
            self.site.upgrade()
        except PartialRevisionError:
            return

        yield f"it was upgraded, with the record {record}"

    def _upgraded_again(self, outcome: str | None) -> str | None:
        """Upgrade without a fault: all the way from what is found for the first time,
        and by one revision from what that was shown for. Returns what is wrong.
        """
        target = FIRST_STEPS.get(outcome, HEAD) if outcome in self._shown else HEAD

        try:
            self._resume(target)
        except Exception as error:
            return f"upgraded again, {described(error)}"

        state = self.database.state()

        if outcome == WITH_INVALID_INDEX:
            # IF NOT EXISTS skips it: it is for the user to mend.
            state = validated(state)

        if (name := self.references.name(state)) != target:
            name = name or self.references.difference(state)
            return f"upgraded again to {target}, it is at {name}"

        self._shown.add(outcome)
        return None

    def _resume(self, target: str) -> None:
        try:
            self.site.upgrade(target, resume=bool(self.database.record()))
        except MigrationError as error:
            # The statement that cancels the first upgrade can come late.
            if "Query execution was interrupted" not in str(error):
                raise

            self.site.upgrade(target, resume=bool(self.database.record()))

    def _start_anew(self) -> None:
        # What goes wrong with what is broken is known already.
        with contextlib.suppress(Exception):
            self.site.close()

        self.database.evict()
        self.site = self._new_site()

    def _new_site(self) -> Site:
        site = Site(self.subject)
        # The first connection of an engine makes trips of its own.
        site.connect(self.database.unsound)
        return site
