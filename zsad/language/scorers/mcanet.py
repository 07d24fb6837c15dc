"""``mcanet``: LAVAD with an audio stream; a video without sound is asked, and scored, exactly as LAVAD does.

With an encoder of sound each clip takes the most fitting caption of the video's; without one it keeps its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zsad.language import sound
from zsad.language.asking import Sound
from zsad.language.audio_file import SoundEmbedder
from zsad.language.footage import Footage
from zsad.language.gateway import Gateway
from zsad.language.prompts import PromptSet, load_prompts
from zsad.language.retrieval import distinct, nearest_caption
from zsad.language.scorers.base import Setting
from zsad.language.scorers.lavad import LavadScorer, caption
from zsad.language.sound import Track
from zsad.language.tracks import read_track


class McanetScorer(LavadScorer):
    """Describes what is seen and what is heard, sums up, rates.

    Args:
        gateway: the way to the model, which takes pictures and sound.
        setting: what every method takes.
        prompts: LAVAD's set; the shipped one by default.
        spoken: the set for sound; the shipped one by default.
        hearing: gives vectors of sound and of texts in one space; without it captions of sound stay as they are.
    """

    name = "mcanet"

    def __init__(
        self,
        gateway: Gateway,
        setting: Setting | None = None,
        prompts: PromptSet | None = None,
        spoken: PromptSet | None = None,
        hearing: SoundEmbedder | None = None,
    ) -> None:
        super().__init__(gateway, setting, prompts)
        self.hearing = hearing
        self.spoken = spoken or load_prompts("mcanet", {"caption": ["audio"]})

    def steps(self, n_frames: int, fps: float) -> dict[str, tuple[int, int]]:
        """Return LAVAD's calls, and one per clip that sounds, at most."""
        n = -(-n_frames // self.setting.interval)
        return {**super().steps(n_frames, fps), "mcanet.caption": (n, 150)}

    def _heard(self, footage: Footage, places: NDArray[np.int64], groups: Sequence[Sequence[int]]) -> list[list[str]]:
        track = self._track(footage)
        if track is None:
            return [[] for _ in groups]
        clips = dict(self._sounding(track, footage, places))
        template = self.spoken["caption"]
        asks = (
            template.ask(self.about(footage, int(places[i])), audio=Sound.of(sound.to_wav(samples, track.rate)))
            for i, samples in clips.items()
        )
        reads = self.gateway.read_all(asks, caption)
        caption_of = {i: read.value for i, read in zip(clips, reads, strict=True) if read.value is not None}
        if self.hearing is not None and caption_of:
            caption_of = self._fitting(self.hearing, clips, track.rate, list(caption_of.values()))
        return [sound.heard(frames, caption_of, self.setting.interval) for frames in groups]

    def _track(self, footage: Footage) -> Track | None:
        return None if Path(footage.source).is_dir() else read_track(footage.source)

    def _fitting(
        self, hearing: SoundEmbedder, clips: dict[int, NDArray[np.float32]], rate: int, captions: list[str]
    ) -> dict[int, str]:
        """Return for every clip that sounds the caption of largest cosine, of all of the video's."""
        index, _ = distinct(captions)
        near = nearest_caption(hearing.sounds(list(clips.values()), rate), hearing.texts(index))
        return {i: index[best] for i, best in zip(clips, near.tolist(), strict=True)}

    def _sounding(
        self, track: Track, footage: Footage, places: NDArray[np.int64]
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        for i, centre in enumerate(places):
            samples = track.clip(int(centre), footage.facts.fps)
            if not sound.is_silent(samples):
                yield i, samples
