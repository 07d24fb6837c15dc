"""``ask``: one question per window, whose answer is its score. The plain baseline."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zsad.language.asking import Ask, Picture
from zsad.language.footage import Footage
from zsad.language.forms import formed_score
from zsad.language.gateway import Gateway
from zsad.language.parse import bracket_score
from zsad.language.prompts import PromptSet, load_prompts
from zsad.language.scorers.base import LanguageScorer, Setting, numbers, over_windows
from zsad.language.spending import PICTURE_TOKENS
from zsad.language.windows import even, window

FRAMES, SECONDS = 8, 10.0


class AskScorer(LanguageScorer):
    """Asks how anomalous each window is.

    Args:
        gateway: the way to the model.
        setting: what every method takes.
        prompts: the set; the shipped one by default.
        frames: of each window.
        seconds: of each window.
    """

    name = "ask"

    def __init__(
        self,
        gateway: Gateway,
        setting: Setting | None = None,
        prompts: PromptSet | None = None,
        frames: int = FRAMES,
        seconds: float = SECONDS,
    ) -> None:
        super().__init__(gateway, setting)
        self.prompts = prompts or load_prompts("ask", {"window": ["frames"]})
        self.frames, self.seconds = frames, seconds

    def steps(self, n_frames: int, fps: float) -> dict[str, tuple[int, int]]:
        """Return one call per window."""
        return {"ask.window": (-(-n_frames // self.setting.interval), 150 + self.frames * PICTURE_TOKENS)}

    def _values(self, footage: Footage, places: NDArray[np.int64]) -> NDArray[np.float64]:
        return self.at(footage, places)

    def at(self, footage: Footage, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the score of the window around each centre, NaN where there is none."""
        template, facts = self.prompts["window"], footage.facts
        half = max(int(self.seconds * facts.fps) // 2, 1)
        groups = [even(*window(int(c), facts.n_frames, half), self.frames) for c in places]

        def make(i: int, pictures: list[Picture]) -> Ask:
            return template.ask(
                self.about(footage, int(places[i])), frames=pictures, anomaly=self.setting.anomaly or None
            )

        asks = over_windows(self.gateway, footage, groups, make)
        return numbers(
            self.gateway.read_all(asks, formed_score if self.gateway.forms else bracket_score, template.wanted)
        )
