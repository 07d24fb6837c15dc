"""The sound of a video around its centres: clips, how loud they are, and what is heard in a window."""

from __future__ import annotations

import math
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

CLIP_SECONDS, SILENCE = 2.0, -60.0
"""Length of a clip, and the level in dBFS below which it is silent."""


@dataclass(frozen=True, eq=False)
class Track:
    """The sound of a video.

    Attributes:
        samples: (N,) float32 in [-1, 1], one channel.
        rate: samples per second.
    """

    samples: NDArray[np.float32]
    rate: int

    def clip(self, centre: int, fps: float, seconds: float = CLIP_SECONDS) -> NDArray[np.float32]:
        """Return the samples around a centre frame, cut to the track."""
        start, end = clip_span(centre, fps, len(self.samples), self.rate, seconds)
        return self.samples[start:end]


def clip_span(centre: int, fps: float, n_samples: int, rate: int, seconds: float = CLIP_SECONDS) -> tuple[int, int]:
    """Return first and end sample of the clip around a centre frame, cut to the track.

    >>> clip_span(32, 30.0, 96_000, 16_000)
    (1067, 33067)
    """
    at = centre / fps
    start, end = round((at - seconds / 2) * rate), round((at + seconds / 2) * rate)
    return min(max(start, 0), n_samples), min(max(end, 0), n_samples)


def rms(samples: ArrayLike) -> float:
    """Return the root of the mean square of samples; 0 of none."""
    found = np.asarray(samples, np.float64)
    return float(np.sqrt(np.mean(found**2))) if found.size else 0.0


def dbfs(level: float) -> float:
    """Return a root mean square in decibels of full scale; minus infinity of silence.

    >>> dbfs(0.1), dbfs(0.0)
    (-20.0, -inf)
    """
    return 20 * math.log10(level) if level > 0 else -math.inf


def is_silent(samples: ArrayLike, limit: float = SILENCE) -> bool:
    """Whether a clip is too quiet to be asked about."""
    return dbfs(rms(samples)) < limit


def clips_of(frames: Sequence[int], interval: int = 16) -> list[int]:
    """Return the clip that each frame of a window belongs to, as its number.

    >>> clips_of([0, 15, 16, 40])
    [0, 0, 1, 2]
    """
    return [frame // interval for frame in frames]


def heard(frames: Sequence[int], caption_of: Mapping[int, str], interval: int = 16) -> list[str]:
    """Return what is heard in a window: the captions of its frames' sounding clips in order, exact repeats dropped.

    Args:
        frames: of the window.
        caption_of: number of a sounding clip -> its cleaned caption.
        interval: frames from one clip to the next.
    """
    found = [caption_of[clip] for clip in clips_of(frames, interval) if clip in caption_of]
    return list(dict.fromkeys(found))


def to_wav(samples: ArrayLike, rate: int) -> bytes:
    """Return samples in [-1, 1] as a WAV file: mono, 16 bits."""
    whole = np.clip(np.rint(np.asarray(samples, np.float64) * 32767), -32768, 32767).astype("<i2")
    buffer = BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(whole.tobytes())
    return buffer.getvalue()
