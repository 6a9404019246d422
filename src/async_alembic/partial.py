"""What is left of a revision that has failed where DDL cannot be rolled back."""

from __future__ import annotations

import collections.abc as c
import dataclasses


@dataclasses.dataclass(frozen=True)
class PartialRevision:
    """A revision that is half applied, or half taken back.

    :param database: The name of the engine, such as ``"default"``.
    :param revision: The id of the revision.
    :param direction: ``"upgrade"`` or ``"downgrade"``.
    :param target: What to stamp when it was finished by hand.
    :param applied: The statements that were applied, in that order. What is not among
        them was rolled back.
    :param failed: The statement that failed; ``None`` if it was no statement.
    :param interrupted: Whether that one was broken off, so that it is not known whether
        it was applied.
    :param uncertain: The statements before it that it commits, and that are applied
        only if it is.
    """

    database: str
    revision: str
    direction: str
    target: str
    applied: tuple[str, ...]
    failed: str | None
    interrupted: bool = False
    uncertain: tuple[str, ...] = ()

    def __str__(self) -> str:
        half = "applied" if self.direction == "upgrade" else "taken back"
        applied = _listed(self.applied) or "none for certain"
        failed = ""

        if self.failed:
            failed = f"; failed: {_shortened(self.failed)}"

            if self.interrupted:
                failed += ", which was broken off and may be applied as well"

            if self.uncertain:
                failed += f", together with {_listed(self.uncertain)}"

        return (
            f"Revision {self.revision} is half {half}, as database '{self.database}'"
            f" commits at every DDL statement. Applied: {applied}{failed}. Finish it by"
            f" hand and run 'db stamp {self.target}', or undo it by hand and run"
            f" 'db {self.direction} --retry'."
        )


def _listed(statements: c.Iterable[str]) -> str:
    return ", ".join(map(_shortened, statements))


def _shortened(statement: str) -> str:
    return f"[{' '.join(statement.split())[:200]}]"
