"""What the methods share: settings, a video's footage, calls planned before they are sent, the series at the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zsad.errors import InputError
from zsad.language.asking import Ask, Picture
from zsad.language.embedding import Embedder
from zsad.language.footage import Footage
from zsad.language.gateway import Gateway, Read
from zsad.language.windows import INTERVAL, centres, filled
from zsad.outside import printable, terminal
from zsad.video.scorer import OnFrame
from zsad.video.series import ScoreSeries


@dataclass(frozen=True)
class Setting:
    """What every method takes.

    Attributes:
        anomaly: what is anomalous, in the user's words; ``""`` for what the prompts say.
        interval: frames from one centre to the next.
        folder_fps: frames per second of folders of pictures.
        embedder: gives vectors of frames, and of texts where it can; None goes without retrieval.
    """

    anomaly: str = ""
    interval: int = INTERVAL
    folder_fps: float = 0.0
    embedder: Embedder | None = None


@dataclass(frozen=True)
class Planned:
    """What a video will need, before anything is sent.

    Attributes:
        steps: step -> calls, at most.
        tokens: of all of them, estimated.
        hours: of video.
    """

    steps: dict[str, int]
    tokens: int
    hours: float

    @property
    def calls(self) -> int:
        """All calls, at most."""
        return sum(self.steps.values())


class LanguageScorer(ABC):
    """A method that asks a language model.

    Args:
        gateway: the way to it.
        setting: what every method takes.

    """

    name = ""

    def __init__(self, gateway: Gateway, setting: Setting | None = None) -> None:
        self.gateway, self.setting = gateway, setting or Setting()

    def score(self, source: str | Path, on_frame: OnFrame = lambda done, total: None) -> ScoreSeries:
        """Score one video; see :class:`zsad.video.scorer.VideoScorer`.

        Raises:
            InputError: the video can't be read, or no answer could be used.
            BudgetError: the budget ended before; what was answered is kept.
            EndpointError: the endpoint takes no question at all.
        """
        footage = Footage(source, self.gateway.cache, self.setting.folder_fps, on_frame)
        before = self.gateway.counts.to_calls()
        failed = self.gateway.counts.failed
        places = centres(footage.facts.n_frames, self.setting.interval)
        values = self._values(footage, places)
        counts = self.gateway.counts
        if np.isnan(values).all():
            why = ", ".join(f"{terminal(reason, 60)} {n} times" for reason, n in counts.reasons.most_common(3))
            raise InputError(f"{printable(source)}: no answer could be used ({why or 'none came'})")
        calls = {name: count - before[name] for name, count in counts.to_calls().items()}
        facts = footage.facts
        lost = counts.failed - failed
        fault = facts.fault or (
            f"{lost} calls were not answered ({terminal(counts.failure, 120)}); run again: what was answered is kept"
            if lost else ""
        )  # fmt: skip
        return ScoreSeries(
            filled(places, values), places, facts.timestamps[places], facts.n_frames, facts.fps, self.name,
            self.gateway.model, self.refiners(), bool(fault), calls=calls, fault=fault,
        )  # fmt: skip

    @abstractmethod
    def _values(self, footage: Footage, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return a score per centre, NaN where there is none."""

    @abstractmethod
    def steps(self, n_frames: int, fps: float) -> dict[str, tuple[int, int]]:
        """Return step -> (calls, tokens of each) for a video of so many frames."""

    def refiners(self) -> tuple[str, ...]:
        """Return what is done to the answers, for the series."""
        return ()

    def plan(self, source: str | Path) -> Planned:
        """Return what a video will need; nothing is sent.

        Raises:
            InputError: the video can't be read.
        """
        facts = Footage(source, self.gateway.cache, self.setting.folder_fps).facts
        steps = self.steps(facts.n_frames, facts.fps)
        tokens = sum(calls * each for calls, each in steps.values())
        return Planned({name: calls for name, (calls, _) in steps.items()}, tokens, facts.n_frames / facts.fps / 3600)

    def about(self, footage: Footage, index: int) -> str:
        """Return what a question is called in records."""
        return f"{footage.identity[:12]}#{index}"


Make = Callable[[int, list[Picture]], Ask]


def over_windows(gateway: Gateway, footage: Footage, groups: Sequence[Sequence[int]], make: Make) -> Iterator[Ask]:
    """Yield the question of each window, its pictures read only where the answer is not kept."""
    made: dict[int, Ask] = {}

    def known(ready: Mapping[int, list[Picture]]) -> dict[int, Ask]:
        asks = {i: make(i, pictures) for i, pictures in ready.items()}
        made.update(
            (i, ask) for (i, ask), there in zip(asks.items(), gateway.look(list(asks.values())), strict=True) if there
        )
        return made

    for i, pictures in footage.pictures(groups, known):
        yield made.pop(i) if i in made else make(i, pictures)


def numbers(reads: Sequence[Read[float]] | Sequence[Read[int]]) -> NDArray[np.float64]:
    """Return what was read as numbers, NaN where there is none."""
    return np.array([np.nan if read.value is None else float(read.value) for read in reads], np.float64)
