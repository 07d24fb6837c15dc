"""``vera``: guiding questions about eight frames of each window, answers made better by their like, and smoothed.

Source: VERA (CVPR 2025). Its steps are in ``segments.py``; the prompts are our own words.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zsad.language import segments
from zsad.language.asking import Ask, Picture
from zsad.language.footage import Footage
from zsad.language.gateway import Gateway
from zsad.language.parse import learner_output
from zsad.language.prompts import PromptSet, Template, load_prompts
from zsad.language.prompts import numbered as as_list
from zsad.language.scorers.base import LanguageScorer, Setting, numbers, over_windows
from zsad.language.spending import PICTURE_TOKENS
from zsad.language.windows import even, filled, window

FRAMES, HALF_SECONDS = 8, 5.0
SLOTS = {"learner": ["frames", "questions"], "optimizer": ["frames", "questions", "predictions", "targets"]}


class VeraScorer(LanguageScorer):
    """Asks whether each window is anomalous, led by questions.

    Args:
        gateway: the way to the model.
        setting: what every method takes.
        questions: guiding questions, such as those that were learned; the set's own by default.
        prompts: the set; the shipped one by default.
        by_position: let frames count less towards both ends of the video, as published; for cut clips only.
    """

    name = "vera"

    def __init__(
        self,
        gateway: Gateway,
        setting: Setting | None = None,
        questions: Sequence[str] = (),
        prompts: PromptSet | None = None,
        by_position: bool = False,
    ) -> None:
        super().__init__(gateway, setting)
        self.prompts = prompts or load_prompts("vera", SLOTS)
        self.questions = tuple(questions) or self.prompts.questions
        self.by_position = by_position

    def steps(self, n_frames: int, fps: float) -> dict[str, tuple[int, int]]:
        """Return one call per window."""
        return {"vera.learner": (-(-n_frames // self.setting.interval), 450 + FRAMES * PICTURE_TOKENS)}

    def refiners(self) -> tuple[str, ...]:
        """Return neighbours, smoothing and rounding, which use the future."""
        near = ("neighbours 0.15 (offline)",) if self.setting.embedder else ()
        place = ("by position (offline)",) if self.by_position else ()
        return (*near, "gaussian 15 (offline)", "rounded 0.1", *place)

    def _values(self, footage: Footage, places: NDArray[np.int64]) -> NDArray[np.float64]:
        facts, template = footage.facts, self.prompts["learner"]
        half = max(int(HALF_SECONDS * facts.fps), 1)
        groups = [even(*window(int(c), facts.n_frames, half), FRAMES) for c in places]

        def make(i: int, pictures: list[Picture]) -> Ask:
            return ask_learner(template, self.about(footage, int(places[i])), pictures, self.questions, self.setting)

        asks = over_windows(self.gateway, footage, groups, make)
        initial = numbers(self.gateway.read_all(asks, learner_output, template.wanted))
        if np.isnan(initial).all():
            return initial
        near = filled(places, initial)
        if self.setting.embedder is not None:
            near = segments.refined(footage.windows(groups, self.setting.embedder), near)
        found = segments.rounded(segments.smoothed(near))
        return found * segments.position_weight(facts.n_frames)[places] if self.by_position else found


def ask_learner(
    template: Template, item: str, pictures: Sequence[Picture], questions: Sequence[str], setting: Setting
) -> Ask:
    """Return the learner's question about one stretch of video: its frames, numbered, and the guiding questions."""
    parts: list[str | Picture] = []
    for i, picture in enumerate(pictures, 1):
        parts += [f"\nFrame {i}:", picture]
    return template.ask(item, frames=parts, questions=as_list(questions), anomaly=setting.anomaly or None)
