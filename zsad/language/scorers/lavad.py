"""``lavad``: captions of frames, cleaned; summaries of windows; scores of summaries, made better by retrieval.

Source: LAVAD (CVPR 2024). Its steps are in ``windows.py`` and ``retrieval.py``; the prompts are our own words.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zsad.language.asking import Ask, Picture
from zsad.language.footage import Footage
from zsad.language.forms import formed_score
from zsad.language.gateway import Gateway, Read
from zsad.language.parse import Parsed, bracket_score, last_line, prose
from zsad.language.prompts import PromptSet, load_prompts
from zsad.language.retrieval import distinct, nearest_caption, refined_scores
from zsad.language.scorers.base import LanguageScorer, Setting, numbers, over_windows
from zsad.language.spending import PICTURE_TOKENS
from zsad.language.windows import filled, lavad_half, spread, window

SAMPLES, SECONDS = 10, 10.0
SLOTS = {"caption": ["image"], "summary": ["captions"], "score": ["summary"]}


def caption(reply: str) -> Parsed[str]:
    r"""Read a caption: all of a reply, on one line; an apology instead of one is none.

    >>> caption("A yard.\n"), caption("I'm sorry, but I can't help with that.").reason
    (Parsed(value='A yard.', reason='ok'), 'refusal')
    """
    found = prose(reply)
    return Parsed(None, found.reason) if found.value is None else Parsed(" ".join(found.value.split()), "ok")


def summary(reply: str) -> Parsed[str]:
    r"""Read a summary: the last line of a reply; an apology instead of one, or in that line, is none.

    >>> summary("Summary:\nA yard."), summary("Sorry, I can't help.\nSend another list.").reason
    (Parsed(value='A yard.', reason='ok'), 'refusal')
    """
    whole, line = prose(reply), last_line(reply)
    if whole.value is None or line.value is None:
        return Parsed(None, whole.reason if whole.value is None else line.reason)
    return line if prose(line.value).value is not None else Parsed(None, prose(line.value).reason)


class LavadScorer(LanguageScorer):
    """Describes, sums up, rates.

    Args:
        gateway: the way to the model, which takes pictures.
        setting: what every method takes; without an embedder that takes texts captions stay as they are, and scores
            are not refined.
        prompts: the set; the shipped one by default.
    """

    name = "lavad"

    def __init__(self, gateway: Gateway, setting: Setting | None = None, prompts: PromptSet | None = None) -> None:
        super().__init__(gateway, setting)
        self.prompts = prompts or load_prompts("lavad", SLOTS)

    @property
    def has_retrieval(self) -> bool:
        """Whether pictures and texts can be compared."""
        return self.setting.embedder is not None and self.setting.embedder.has_texts

    def steps(self, n_frames: int, fps: float) -> dict[str, tuple[int, int]]:
        """Return a caption, a summary and a score per centre, at most."""
        n = -(-n_frames // self.setting.interval)
        return {"lavad.caption": (n, 120 + PICTURE_TOKENS), "lavad.summary": (n, 450), "lavad.score": (n, 180)}

    def refiners(self) -> tuple[str, ...]:
        """Return the retrieval, which uses the future."""
        return ("retrieval 10 (offline)",) if self.has_retrieval else ()

    def _values(self, footage: Footage, places: NDArray[np.int64]) -> NDArray[np.float64]:
        half = max(lavad_half(footage.facts.fps, SECONDS), 1)
        groups = [spread(*window(int(c), footage.facts.n_frames, half), SAMPLES) for c in places]
        captions = self._captions(footage, places)
        if all(text is None for text in captions):
            return np.full(len(places), np.nan)
        seen = self._cleaned(footage, groups, captions)
        heard = self._heard(footage, places, groups)
        summaries = self._summaries(footage, places, seen, heard)
        parsed = numbers(self._scores(footage, places, summaries))
        if np.isnan(parsed).all() or not self.has_retrieval:
            return parsed
        return self._refined(footage, groups, summaries, filled(places, parsed))

    def _captions(self, footage: Footage, places: NDArray[np.int64]) -> list[str | None]:
        template = self.prompts["caption"]

        def make(i: int, pictures: list[Picture]) -> Ask:
            item = self.about(footage, int(places[i]))
            return template.ask(item, image=pictures[0], anomaly=self.setting.anomaly or None)

        asks = over_windows(self.gateway, footage, [[int(c)] for c in places], make)
        return [read.value for read in self.gateway.read_all(asks, caption)]

    def _cleaned(
        self, footage: Footage, groups: Sequence[Sequence[int]], captions: Sequence[str | None]
    ) -> list[list[str]]:
        """Return the captions of each window in the order of time: the most fitting ones of all of the video."""
        if self.has_retrieval and (embedder := self.setting.embedder) is not None:
            index, _ = distinct([text for text in captions if text is not None])
            vectors = footage.vectors({f for frames in groups for f in frames}, embedder)
            order = sorted(vectors)
            near = nearest_caption(np.stack([vectors[f] for f in order]), footage.text_vectors(index, embedder))
            best = dict(zip(order, near.tolist(), strict=True))
            return [[index[best[f]] for f in frames] for frames in groups]
        there = np.array([i for i, text in enumerate(captions) if text is not None])
        interval = self.setting.interval
        own = [[int(there[np.abs(there - frame // interval).argmin()]) for frame in frames] for frames in groups]
        return [[str(captions[i]) for i in row] for row in own]

    def _heard(self, footage: Footage, places: NDArray[np.int64], groups: Sequence[Sequence[int]]) -> list[list[str]]:
        """Return what is heard in each window: nothing here."""
        return [[] for _ in groups]

    def _summaries(
        self, footage: Footage, places: NDArray[np.int64], seen: Sequence[Sequence[str]], heard: Sequence[Sequence[str]]
    ) -> list[str]:
        template = self.prompts["summary"]
        asks = [
            template.ask(self.about(footage, int(c)), captions="\n".join(one), heard="\n".join(sound) or None)
            for c, one, sound in zip(places, seen, heard, strict=True)
        ]
        reads = self.gateway.read_all(asks, summary, template.wanted)
        return [read.value or "; ".join(dict.fromkeys(one)) for read, one in zip(reads, seen, strict=True)]

    def _scores(self, footage: Footage, places: NDArray[np.int64], summaries: Sequence[str]) -> list[Read[float]]:
        template, anomaly = self.prompts["score"], self.setting.anomaly or None
        asks = [
            template.ask(self.about(footage, int(c)), summary=f"{summary}.", anomaly=anomaly)
            for c, summary in zip(places, summaries, strict=True)
        ]
        return self.gateway.read_all(asks, formed_score if self.gateway.forms else bracket_score, template.wanted)

    def _refined(
        self, footage: Footage, groups: Sequence[Sequence[int]], summaries: Sequence[str], scores: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        embedder = self.setting.embedder
        assert embedder is not None
        clips, (texts, first) = footage.windows(groups, embedder), distinct(summaries)
        return refined_scores(clips, footage.text_vectors(texts, embedder), first, scores)
