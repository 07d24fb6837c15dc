"""A learned model on a live source: features as frames come, scores after a delay that is stated."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from zsad.types import FloatArray
from zsad.video.features import samples_of
from zsad.video.frames import ASSUMED_RATE, Frame, Video
from zsad.video.learned.reading import Reading
from zsad.video.learned.scoring import Network
from zsad.video.learned.sliding import Live, Scored, live, seconds
from zsad.video.methods.look import FrameMethod, Look, Sampling

DELAY = 2.0
"""Seconds that are waited for by default."""
_NO_MAP: FloatArray = np.zeros((1, 1), np.float32)


class LiveLearned(FrameMethod):
    """A learned model that looks at a stream: one look for each row of features, in order, each once.

    Args:
        network: the model.
        name: its folder or file.
        delay: seconds of what follows that a score waits for, rounded down to whole rows; a model that scores clips
            waits for the rest of the clip instead.
        backbone: what gives features; by default the one that its card names.
        device: where the backbone runs.
    """

    unit_maps = True

    def __init__(
        self, network: Network, name: str, *, delay: float = DELAY, backbone: str | None = None, device: str = "cpu"
    ) -> None:
        super().__init__(Sampling(network.card.every), ())
        self._network, self._name, self._delay = network, name, delay
        self._reading = Reading(network.card, name, backbone, device)
        self._side = self._reading.detector.card.input.image_size  # opened now: a stream does not wait

    @property
    def name(self) -> str:
        """What the model is assembled by, as a whole video's scores have it."""
        return self._network.card.config.preset or self._network.card.config.temporal.kind

    @property
    def model(self) -> str:
        """Its folder or file."""
        return Path(self._name).name

    def scoring(self, fps: float) -> Live:
        """Return what scores a stream of so many frames a second; 0 where nobody knows."""
        card = self._network.card
        rows = int(self._delay * (fps or ASSUMED_RATE) / card.every + 1e-9)
        return live(self._network, min(rows, card.config.temporal.length - 1))

    def late(self, fps: float) -> float:
        """Return how many seconds after its frame a score comes at most, at so many frames a second."""
        return seconds(self.scoring(fps), fps or ASSUMED_RATE)

    def told(self, fps: float) -> str:
        """Say in one line how often and how late scores come."""
        rate, scoring = fps or ASSUMED_RATE, self.scoring(fps)
        every = self._network.card.every
        apart = every * self._network.card.config.stride / rate
        return (
            f"{self.model}: a score every {apart:.2f} s, {self.late(fps):.2f} s after its frame "
            f"({scoring.delay} rows of {every} frames at {rate:.3g} frames/s)"
        )

    def looks(self, video: Video) -> Generator[Look, None, None]:
        """Yield one look for each row that is scored."""
        scoring, waiting = self.scoring(video.fps), deque[tuple[int, Frame]]()
        with closing(samples_of(video, self._reading.choice, self._side)) as samples:
            for number, sample in enumerate(samples):
                waiting.append((number, sample.frame))
                found = scoring.push(self._reading.row(sample.pictures))
                if found is not None:
                    yield self._look(found, waiting)
        for found in scoring.finish():
            yield self._look(found, waiting)

    def _look(self, found: Scored, waiting: deque[tuple[int, Frame]]) -> Look:
        row, score, classes = found
        while waiting[0][0] < row:
            waiting.popleft()
        named: Iterator[tuple[str, float]] = zip(self._network.card.anomalous, map(float, classes), strict=False)
        return Look(waiting[0][1], score, _NO_MAP, dict(named))
