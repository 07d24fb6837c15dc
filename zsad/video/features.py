"""Features of a video's frames: one row of every 16th frame, as weakly supervised models read them.

Row ``t`` belongs to frame ``t * every``: of ``n`` frames there are ``ceil(n / every)`` rows, the first of frame 0. They
are the model's own image features, of its native size, not normalised.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zsad.errors import UsageError
from zsad.types import FloatArray
from zsad.video.crops import views
from zsad.video.frames import Frame, Video
from zsad.video.motion_frames import motion_picture, no_motion
from zsad.video.source import read_ahead

if TYPE_CHECKING:
    from zsad.detector.base import Detector

MOTION = "motion"
"""What stands in a file's name in place of the number of a crop, where its features are those of motion frames."""
_TOGETHER = 8


@dataclass(frozen=True)
class Choice:
    """What is taken of a video.

    Attributes:
        every: frames from one row to the next.
        crops: 1 or 10, see :mod:`zsad.video.crops`.
        tokens: rows of Q tokens each in place of one feature: patch features, averaged over a grid of Q cells.
        motion: also features of motion frames, see :mod:`zsad.video.motion_frames`.

    Raises:
        UsageError: a number out of range.
    """

    every: int = 16
    crops: int = 1
    tokens: int | None = None
    motion: bool = False

    def __post_init__(self) -> None:
        if self.every < 1:
            raise UsageError(f"features of every {self.every} frames: give at least 1")
        if self.crops not in (1, 10):
            raise UsageError(f"{self.crops} crops: give 1 or 10")
        if self.tokens is not None and self.tokens < 1:
            raise UsageError(f"{self.tokens} tokens: give at least 1")


@dataclass(frozen=True, eq=False)
class VideoFeatures:
    """Features of a video.

    Attributes:
        arrays: name (``"0"`` to ``"9"`` of the crop, ``"motion"``) -> float32 ``(T, D)``, or ``(T, Q, D)`` of tokens.
        positions: (T,) int64, the frame of each row.
        timestamps: (T,) float64, its seconds.
        frames: frames that were read.
        fps: frames per second on average, 0 where nobody knows.
        fault: why reading broke off, or ``""``.
    """

    arrays: dict[str, FloatArray] = field(repr=False)
    positions: NDArray[np.int64]
    timestamps: NDArray[np.float64]
    frames: int
    fps: float
    fault: str = ""


def read_features(
    video: Video,
    detector: Detector,
    choice: Choice,
    on_frame: Callable[[int, int | None], None] = lambda done, of: None,
) -> VideoFeatures:
    """Read the features of a video.

    Args:
        video: an open video.
        detector: what gives features, such as :func:`zsad.video.towers.feature_detector` opens.
        choice: what is taken.
        on_frame: told of progress: frames read, and frames in all, or None where nobody knows.

    Raises:
        InputError: not one frame can be read.
        ModelError: the model gives no features.
        UsageError: more tokens than the model has patches.
    """
    chunks = list(feature_chunks(video, detector, choice, on_frame))
    arrays = {name: np.concatenate([chunk.arrays[name] for chunk in chunks]) for name in chunks[0].arrays}
    positions = [position for chunk in chunks for position in chunk.positions]
    timestamps = [time for chunk in chunks for time in chunk.timestamps]
    return VideoFeatures(arrays, np.array(positions, np.int64), np.array(timestamps, np.float64), video.read, video.fps,
                         video.fault)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Chunk:
    """Features of a few frames that follow each other; see :class:`VideoFeatures`.

    Attributes:
        arrays: name -> float32 ``(n, D)`` or ``(n, Q, D)``.
        positions: the frame of each row.
        timestamps: its seconds.
    """

    arrays: dict[str, FloatArray] = field(repr=False)
    positions: list[int]
    timestamps: list[float]


def feature_chunks(
    video: Video,
    detector: Detector,
    choice: Choice,
    on_frame: Callable[[int, int | None], None] = lambda done, of: None,
) -> Generator[Chunk, None, None]:
    """Yield the features of a video as they are read, a few rows at a time, at least once.

    Args:
        video: an open video.
        detector: see :func:`read_features`, as for what follows and what is raised.
        choice: what is taken.
        on_frame: told of progress.
    """
    grid = None if choice.tokens is None else cells(choice.tokens, detector.card.grid)
    names = [str(crop) for crop in range(choice.crops)] + [MOTION] * choice.motion
    samples = read_ahead(samples_of(video, choice, detector.card.input.image_size))
    try:
        while chunk := list(islice(samples, max(1, _TOGETHER // len(names)))):
            pictures = [picture for sample in chunk for picture in sample.pictures]
            rows = rows_of(detector, pictures, grid).astype(np.float32, copy=False)
            on_frame(video.read, video.n_frames)
            yield Chunk(
                {name: rows[at :: len(names)] for at, name in enumerate(names)},
                [sample.frame.index for sample in chunk],
                [sample.frame.timestamp for sample in chunk],
            )
    finally:
        samples.close()


def cells(tokens: int, grid: int) -> tuple[int, int]:
    """Return rows and columns of a grid of so many cells, as square as can be.

    Args:
        tokens: how many cells.
        grid: side of the patch grid.

    Raises:
        UsageError: there are fewer patches in a row or column.

    >>> cells(16, 14), cells(32, 14)
    ((4, 4), (4, 8))
    """
    rows = next(n for n in range(int(tokens**0.5), 0, -1) if tokens % n == 0)
    if tokens // rows > grid:
        raise UsageError(
            f"{tokens} tokens are {rows} x {tokens // rows} cells, and the model has {grid} x {grid} patches; "
            f"give fewer, such as {min(4, grid) ** 2}"
        )
    return rows, tokens // rows


def pooled(patches: FloatArray, grid: tuple[int, int]) -> FloatArray:
    """Average patch features over a grid of cells, row by row.

    Args:
        patches: float32 ``(B, G * G, D)``.
        grid: rows and columns of cells; cell ``i`` of ``n`` covers patches ``floor(i G / n)`` up to
            ``ceil((i + 1) G / n)``, so that those at a border count in both where ``n`` does not divide G.

    Returns:
        float32 ``(B, rows * columns, D)``.
    """
    batch, count, width = patches.shape
    side = round(count**0.5)
    square = patches.reshape(batch, side, side, width)
    found = [square[:, top:bottom, left:right].mean(axis=(1, 2))
             for top, bottom in _borders(side, grid[0]) for left, right in _borders(side, grid[1])]  # fmt: skip
    return np.stack(found, axis=1)


def _borders(side: int, parts: int) -> list[tuple[int, int]]:
    return [(i * side // parts, -(-(i + 1) * side // parts)) for i in range(parts)]


@dataclass(frozen=True)
class Sample:
    """A frame that counts, and the pictures that features are taken of: its views, then what moves."""

    frame: Frame
    pictures: list[Image.Image]


def samples_of(video: Video, choice: Choice, side: int) -> Generator[Sample, None, None]:
    """Yield frames that count, with the pictures that features are taken of, for a network of ``side`` pixels."""
    if not choice.motion:
        for frame in video.frames(choice.every):
            yield Sample(frame, views(frame.image, choice.crops, side))
        return
    before: Frame | None = None
    due = 0
    first: Frame | None = None  # waits for the frame after it: nothing has moved yet
    for frame in video.frames():
        if first is not None:
            yield _sample(first, motion_picture(first, frame), choice, side)
            first = None
        if before is None:
            first = frame
        elif frame.index >= due:  # a camera may have dropped the one that was due
            yield _sample(frame, motion_picture(before, frame), choice, side)
        if frame.index >= due:
            due = (frame.index // choice.every + 1) * choice.every
        before = frame
    if first is not None:
        yield _sample(first, no_motion(), choice, side)


def _sample(frame: Frame, motion: Image.Image, choice: Choice, side: int) -> Sample:
    return Sample(frame, [*views(frame.image, choice.crops, side), motion])


def rows_of(detector: Detector, pictures: Sequence[Image.Image], grid: tuple[int, int] | None) -> FloatArray:
    """Return features of pictures: ``(n, D)``, or tokens ``(n, Q, D)`` of a grid's cells."""
    features = detector.features(pictures)
    return features.cls if grid is None else pooled(features.patches[:, -1], grid)
