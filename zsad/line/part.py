"""What a station works on, and what it records: a part, what was seen of it, and its row."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, TypeAlias

from zsad.documents import Limits, parse_json
from zsad.errors import OutputError
from zsad.images.preprocess import Decoded
from zsad.outside import printable
from zsad.types import ImageLike, Result

PartVerdict: TypeAlias = Literal["ok", "reject", "unjudged"]
VERDICTS: tuple[PartVerdict, ...] = ("ok", "reject", "unjudged")
ROW = Limits(size=1 << 20, entries=20_000, depth=6)
"""What a row, or what is told of it, may cost to read."""
UNKNOWN = "-"
"""The hash of a file whose content could not be read."""


@dataclass(frozen=True)
class Opened:
    """A part once it was opened.

    Attributes:
        id: its id, by which it is recorded once.
        image: what is decoded; None where it could not be read.
        error: why it could not.
        data: the bytes of its file, for the archive; ``b""`` where it has none.
    """

    id: str
    image: ImageLike | None = None
    error: str = ""
    data: bytes = field(default=b"", repr=False)


class AgainError(Exception):
    """A part that is not whole yet, or was replaced while it was read: its source gives it again."""


class Done(Protocol):
    """Is told what has become of a part."""

    def __call__(self, record: Record | None, known: bool = False) -> None:
        """Take its committed row, and whether that was there before; None if the part is to be given again."""


def nobody(record: Record | None, known: bool = False) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Part:
    """One part on its way.

    Attributes:
        source: where it comes from: the path of its file, the address of a camera.
        open: reads it, in a lane; raises AgainError where it is to be given again.
        born: ``time.monotonic()`` when its source saw it.
        done: told of its record once that is committed, or that it is to be given again.
        id: its id, where that is known before it is opened.
        answered: where somebody waits for an answer, which can't be put off: asked when the part is judged, whether
            reject was the answer already, so that the row must say the same.
    """

    source: str
    open: Callable[[], Opened]
    born: float
    done: Done = nobody
    id: str = ""
    answered: Callable[[], bool] | None = None


@dataclass(frozen=True)
class Seen:
    """A part after a lane has looked at it.

    Attributes:
        part: which one.
        opened: its id and bytes; None if it is to be given again.
        decoded: its image, where it could be decoded.
        result: what the detector said, without thresholds of the decision.
        error: why there is no result.
        ms: milliseconds of each stage.
        known: whether it was recorded earlier.
        broken: whether it is the detector that failed, and not the image.
    """

    part: Part
    opened: Opened | None = None
    decoded: Decoded | None = None
    result: Result | None = None
    error: str = ""
    ms: dict[str, float] = field(default_factory=dict)
    known: bool = False
    broken: bool = False


@dataclass(frozen=True)
class Record:
    """One row of the table ``parts``; see ``export/README.md`` for the meaning of each column."""

    id: str
    source: str
    time: str
    score: float | None
    threshold: float | None
    verdict: PartVerdict
    fired: str = ""
    regions: tuple[dict[str, Any], ...] = ()
    ms: dict[str, float] = field(default_factory=dict)
    model_hash: str = ""
    error: str = ""

    def to_mapping(self, *, reject: bool | None = None) -> dict[str, Any]:
        """Return the row as JSON has it; with ``reject``, how it goes out."""
        data = {
            "id": self.id, "source": self.source, "time": self.time, "score": self.score, "threshold": self.threshold,
            "verdict": self.verdict, "fired": self.fired.split(), "regions": list(self.regions), "ms": self.ms,
            "model_hash": self.model_hash, "error": self.error or None,
        }  # fmt: skip
        return data if reject is None else {**data, "reject": reject}

    def to_json(self, *, reject: bool | None = None) -> str:
        """Return the row as one line of JSON."""
        return json.dumps(self.to_mapping(reject=reject), allow_nan=False)

    def to_row(self) -> tuple[Any, ...]:
        """Return the values of the table's columns, in order."""
        return (self.id, self.source, self.time, self.score, self.threshold, self.verdict, self.fired,
                json.dumps(list(self.regions), allow_nan=False), json.dumps(self.ms, allow_nan=False), self.model_hash,
                self.error or None)  # fmt: skip

    @classmethod
    def of_row(cls, row: tuple[Any, ...]) -> Record:
        """Take the values of the table's columns."""
        part_id, source, moment, score, threshold, verdict, fired, regions, ms, model_hash, error = row
        found, took = tuple(_parsed(regions or "[]")), _parsed(ms or "{}")
        return cls(part_id, source, moment, score, threshold, verdict, fired or "", found, took, model_hash or "",
                   error or "")  # fmt: skip


def _parsed(text: str) -> Any:
    return parse_json(text, "row", OutputError, ROW)


def failed(part_id: str, source: str, error: str, ms: dict[str, float] | None = None, model_hash: str = "") -> Record:
    """Return the row of a part without a verdict."""
    return Record(
        part_id, source, now(), None, None, "unjudged", ms=ms or {}, model_hash=model_hash, error=printable(error)
    )


def now() -> str:
    """Return the time as rows have it: UTC, to the millisecond, so that text sorts as time does."""
    return moment_of(time.time())


def moment_of(seconds: float) -> str:
    """Return a time as rows have it.

    >>> moment_of(0)
    '1970-01-01T00:00:00.000Z'
    """
    return datetime.fromtimestamp(max(0.0, seconds), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
