"""Live scoring with a learned model: a window over the last features, or clip by clip; a delay that is stated."""

from __future__ import annotations

from collections import deque
from typing import Protocol

import numpy as np

from zsad.errors import UsageError
from zsad.types import FloatArray
from zsad.video.learned.scoring import Network, check_features

Scored = tuple[int, float, FloatArray]
"""A row, its score and its classes' ``(C,)``."""


class Live(Protocol):
    """Scores rows as they come; what it has said never changes."""

    @property
    def network(self) -> Network:
        """The model."""

    @property
    def delay(self) -> int:
        """Rows that it waits for, at most."""

    def push(self, row: FloatArray) -> Scored | None:
        """Take the next row; return one that is scored now, or None."""

    def finish(self) -> list[Scored]:
        """Return the rows that still wait."""


def live(network: Network, delay: int = 0) -> Live:
    """Return what scores a stream with a model: a window with a delay, or clips one after another."""
    return ClipByClip(network) if network.card.config.temporal.kind == "queries" else SlidingWindow(network, 0, delay)


def seconds(scoring: Live, fps: float) -> float:
    """Return how long after its frame a score comes at most, at ``fps`` frames a second."""
    return scoring.delay * scoring.network.card.every / fps


class SlidingWindow:
    """Score features as they come: each row once, ``delay`` rows after it, with what is known until then.

    The newest ``length`` rows are what the model sees; a row is scored as soon as ``delay`` rows after it are there, so
    that it has seen as much of what follows. The delay in seconds is ``delay * every / fps``, see :func:`seconds`.

    Args:
        network: a model that gives one score per row.
        length: rows of the window; the model's own by default, at most that.
        delay: rows waited for; less than the window's.

    Raises:
        UsageError: sizes that contradict each other, or a model that scores clips.
    """

    def __init__(self, network: Network, length: int = 0, delay: int = 0) -> None:
        most = network.card.config.temporal.length
        length = length or most
        if not 1 <= length <= most or not 0 <= delay < length:
            said = f"a window of {length} rows with a delay of {delay}"
            raise UsageError(f"{said}: it has at most {most}, and the delay is less")
        if network.card.config.temporal.kind == "queries":
            raise UsageError("this model scores clips with what it remembers of the video; take ClipByClip")
        self.network, self.length, self.delay = network, length, delay
        self._rows: deque[FloatArray] = deque(maxlen=length)
        self._seen = 0

    def push(self, row: FloatArray) -> Scored | None:
        """Take the next row ``(D,)``; return the row that is scored now, its score and its classes' ``(C,)``, or None.

        Raises:
            InputError: a row that the model does not read.
        """
        check_features(row[None], self.network.card, f"row {self._seen}")
        self._rows.append(np.asarray(row, np.float32))
        self._seen += 1
        return self._scored(self.delay) if self._seen > self.delay else None

    def finish(self) -> list[Scored]:
        """Return the rows that still wait, now that nothing follows."""
        return [self._scored(back) for back in range(min(self.delay, self._seen) - 1, -1, -1)]

    def _scored(self, back: int) -> Scored:
        x = np.stack(list(self._rows))[None]
        rows = x.shape[1]
        if self.network.card.config.compat:  # learned on padded blocks
            x = np.pad(x, ((0, 0), (0, self.network.card.config.temporal.length - rows), (0, 0)))
        self.network.begin()
        scores, classes = self.network.run(x, [rows])
        at = rows - 1 - back
        return self._seen - 1 - back, float(scores[0, at]), classes[0, at]


class ClipByClip:
    """Score clips as they are whole, with what banks remember of the stream: the same as of a whole video.

    Args:
        network: a model that scores clips.
    """

    def __init__(self, network: Network) -> None:
        self.network, self.delay = network, network.card.config.temporal.clip - 1
        self._rows: list[FloatArray] = []
        self._seen = 0
        network.begin()

    def push(self, row: FloatArray) -> Scored | None:
        """Take the tokens of the next row ``(Q, D)``; return the clip that is whole now by its first row, or None.

        Raises:
            InputError: a row that the model does not read.
        """
        check_features(row[None], self.network.card, f"row {self._seen}")
        self._rows.append(np.asarray(row, np.float32))
        self._seen += 1
        return self._scored() if len(self._rows) > self.delay else None

    def finish(self) -> list[Scored]:
        """Return the clip that nothing follows, if one has begun."""
        return [self._scored()] if self._rows else []

    def _scored(self) -> Scored:
        rows, self._rows = self._rows, []
        scores, classes = self.network.run(np.stack(rows)[None], [len(rows)])
        return self._seen - len(rows), float(scores[0, 0]), classes[0, 0]
