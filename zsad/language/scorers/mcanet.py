"""``mcanet``: LAVAD with an audio stream; a video without sound is asked, and scored, exactly as LAVAD does.

Without an encoder of sound, captions of it stay as they are: each clip keeps its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zsad.language import sound
from zsad.language.asking import Ask, Sound
from zsad.language.footage import Footage
from zsad.language.gateway import Gateway
from zsad.language.prompts import PromptSet, load_prompts
from zsad.language.scorers.base import Setting
from zsad.language.scorers.lavad import LavadScorer, caption
from zsad.language.tracks import read_track


class McanetScorer(LavadScorer):
    """Describes what is seen and what is heard, sums up, rates.

    Args:
        gateway: the way to the model, which takes pictures and sound.
        setting: what every method takes.
        prompts: LAVAD's set; the shipped one by default.
        spoken: the set for sound; the shipped one by default.
    """

    name = "mcanet"

    def __init__(
        self,
        gateway: Gateway,
        setting: Setting | None = None,
        prompts: PromptSet | None = None,
        spoken: PromptSet | None = None,
    ) -> None:
        super().__init__(gateway, setting, prompts)
        self.spoken = spoken or load_prompts("mcanet", {"caption": ["audio"]})

    def steps(self, n_frames: int, fps: float) -> dict[str, tuple[int, int]]:
        """Return LAVAD's calls, and one per clip that sounds, at most."""
        n = -(-n_frames // self.setting.interval)
        return {**super().steps(n_frames, fps), "mcanet.caption": (n, 150)}

    def _heard(self, footage: Footage, places: NDArray[np.int64], groups: Sequence[Sequence[int]]) -> list[list[str]]:
        clips = dict(self._sounding(footage, places))
        template = self.spoken["caption"]
        asks: list[Ask] = [template.ask(self.about(footage, int(places[i])), audio=clip) for i, clip in clips.items()]
        reads = self.gateway.read_all(asks, caption)
        caption_of = {i: read.value for i, read in zip(clips, reads, strict=True) if read.value is not None}
        return [sound.heard(frames, caption_of, self.setting.interval) for frames in groups]

    def _sounding(self, footage: Footage, places: NDArray[np.int64]) -> Iterator[tuple[int, Sound]]:
        track = None if Path(footage.source).is_dir() else read_track(footage.source)
        if track is None:
            return
        for i, centre in enumerate(places):
            samples = track.clip(int(centre), footage.facts.fps)
            if not sound.is_silent(samples):
                yield i, Sound.of(sound.to_wav(samples, track.rate))
