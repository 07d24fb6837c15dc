"""The sound of a video file, read with PyAV."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zsad.errors import InputError, MissingExtraError
from zsad.language.sound import Track
from zsad.outside import printable, terminal

RATE = 16_000
LONGEST = 12 * 3600
"""Seconds of sound that are read, at most."""


def read_track(path: str | Path, rate: int = RATE) -> Track | None:
    """Return the first track of a file as one channel, or None where there is none.

    Args:
        path: a video file.
        rate: samples per second.

    Raises:
        InputError: the file can't be read.
        MissingExtraError: PyAV is not installed.
    """
    try:
        import av
    except ImportError:
        raise MissingExtraError("the sound of a video", "video") from None
    parts: list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = []
    count = 0
    try:
        with av.open(str(path)) as file:
            if not file.streams.audio:
                return None
            resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
            for frame in file.decode(file.streams.audio[0]):
                for piece in resampler.resample(frame):
                    parts.append(piece.to_ndarray().reshape(-1).astype(np.float32))
                    count += len(parts[-1])
                if count > LONGEST * rate:
                    break
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if not parts:
            raise InputError(f"{printable(path)}: its sound can't be read ({terminal(error, 80)})") from None
    return Track(np.concatenate(parts), rate) if parts else None
