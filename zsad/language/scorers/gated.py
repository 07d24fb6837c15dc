"""``gated``: a cheap method proposes spans, and the language model looks only at these.

Source: the idea of Holmes-VAD (2024). What is not proposed scores 0: nobody has looked at it closely.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zsad.language.footage import Footage
from zsad.language.gateway import Gateway
from zsad.language.prompts import PromptSet
from zsad.language.scorers.ask import FRAMES, AskScorer
from zsad.language.scorers.base import LanguageScorer, Setting
from zsad.language.spending import PICTURE_TOKENS
from zsad.language.windows import centres, filled
from zsad.video.scorer import OnFrame, VideoScorer
from zsad.video.series import ScoreSeries

SHARE = 0.2
"""Of a video's windows, at most so many are looked at."""


def proposed(cheap: NDArray[np.float64], share: float = SHARE) -> NDArray[np.bool_]:
    """Return which windows are looked at: those of the highest cheap scores, a share of all, above the median.

    Args:
        cheap: (C,) scores of the windows by the cheap method.
        share: of the windows, at most, one at least.

    >>> proposed(np.array([0.1, 0.9, 0.2, 0.1, 0.1]), 0.4).tolist()
    [False, True, True, False, False]
    """
    count = max(1, int(share * len(cheap)))
    chosen = np.zeros(len(cheap), bool)
    chosen[np.argsort(-cheap, kind="stable")[:count]] = True
    return np.asarray(chosen & (cheap > np.median(cheap)))


class GatedScorer(LanguageScorer):
    """Asks only where a cheap method saw something.

    Args:
        gateway: the way to the model.
        cheap: the method that proposes, such as motion.
        setting: what every method takes.
        prompts: the set of ``ask``; the shipped one by default.
        share: see :func:`proposed`.
        settings: what tells the cheap method's scores from those of the same method with other settings.
    """

    name = "gated"

    def __init__(
        self,
        gateway: Gateway,
        cheap: VideoScorer,
        setting: Setting | None = None,
        prompts: PromptSet | None = None,
        share: float = SHARE,
        settings: str = "",
    ) -> None:
        super().__init__(gateway, setting)
        self.cheap, self.share = cheap, share
        self._kept_as = f"cheap:{cheap.name}:{self.setting.interval}" + (f":{settings}" if settings else "")
        self._asks = AskScorer(gateway, setting, prompts)

    def steps(self, n_frames: int, fps: float) -> dict[str, tuple[int, int]]:
        """Return one call per proposed window, at most."""
        n = -(-n_frames // self.setting.interval)
        return {"ask.window": (max(1, int(self.share * n)), 150 + FRAMES * PICTURE_TOKENS)}

    def refiners(self) -> tuple[str, ...]:
        """Return who proposed, and how much; the share is of the whole video."""
        return (f"gated by {self.cheap.name} {self.share:g} (offline)",)

    def score(self, source: str | Path, on_frame: OnFrame = lambda done, total: None) -> ScoreSeries:
        """Score one video; ``calls`` says besides how many calls that is an hour of video."""
        series = super().score(source, on_frame)
        hours = series.n_frames / series.fps / 3600 if series.fps else 0.0
        asked = series.calls["sent"] + series.calls["cached"]
        return replace(series, calls={**series.calls, "per_hour": round(asked / hours)}) if hours else series

    def _values(self, footage: Footage, places: NDArray[np.int64]) -> NDArray[np.float64]:
        kept = footage.kept(self._kept_as)
        cheap = self._cheap(footage, places) if kept is None else np.frombuffer(kept, np.float64)
        if kept is None:
            footage.keep(self._kept_as, cheap.tobytes())
        chosen = proposed(cheap, self.share)
        values = np.zeros(len(places))
        if chosen.any():
            found = self._asks.at(footage, places[chosen])
            if np.isnan(found).all():
                return np.full(len(places), np.nan)
            # A window that was looked at lies between others of its kind, not between those that nobody looked at.
            values[chosen] = filled(places[chosen], found)
        return values

    def _cheap(self, footage: Footage, places: NDArray[np.int64]) -> NDArray[np.float64]:
        frames = self.cheap.score(footage.source).to_frames()
        padded = np.pad(frames, (0, max(0, footage.facts.n_frames - len(frames))), mode="edge")
        interval = self.setting.interval
        return np.array([padded[c : c + interval].max() for c in centres(footage.facts.n_frames, interval)])
