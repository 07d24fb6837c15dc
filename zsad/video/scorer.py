"""What a video method must offer: a name, and scores for a video."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from zsad.video.series import ScoreSeries

OnFrame = Callable[[int, int | None], None]
"""Told of progress: frames done, and frames in all, or None where nobody knows."""


class VideoScorer(Protocol):
    """Anything that scores videos: maps, motion, a weakly supervised model, a language model."""

    @property
    def name(self) -> str:
        """The method's name, as ``--method`` has it."""

    def score(self, source: str | Path, on_frame: OnFrame = lambda done, total: None) -> ScoreSeries:
        """Score one video.

        Args:
            source: a video file, or a folder of numbered frames.
            on_frame: told of progress.

        Raises:
            InputError: the video can't be used. One that breaks off midway is a series with ``partial``.
        """
