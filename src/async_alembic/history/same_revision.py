"""When two scripts are the same."""

from __future__ import annotations


class SameRevision:
    """Compares by file and id: the script of a revision may be lazy or loaded, and is
    made again when a file has changed.
    """

    path: str
    revision: str

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SameRevision):
            return NotImplemented

        return (self.path, self.revision) == (other.path, other.revision)

    def __hash__(self) -> int:
        return hash((self.path, self.revision))
