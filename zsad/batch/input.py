"""One image that a batch scores: a file, or bytes at a place in a shard."""

from __future__ import annotations

from dataclasses import dataclass

from zsad.stream.item import stamp_of


@dataclass(frozen=True, slots=True)
class Input:
    """One image to score.

    Attributes:
        id: what its row calls it: a path as it was given, or ``shard.tar::member``.
        file: the file that is opened.
        offset: where a member's bytes begin in its shard; -1 for a file of its own.
        size: how many bytes a member has.
        shard_stamp: of a member's shard when it was listed.
        error: why it can't be used, if that is known already.
    """

    id: str
    file: str
    offset: int = -1
    size: int = 0
    shard_stamp: str = ""
    error: str = ""

    def stamp(self, *, settled: bool = False) -> str:
        """Return what tells its content from another that takes its place; ``""`` if it is gone."""
        if self.offset < 0:
            return stamp_of(self.file, settled=settled)
        return f"{self.shard_stamp}@{self.offset}+{self.size}"
