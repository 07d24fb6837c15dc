"""Frames as pictures for messages, with their motion frames beside them; the video is read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zsad.errors import InputError
from zsad.language.asking import Picture
from zsad.language.footage import Footage
from zsad.language.pictures import to_jpeg
from zsad.outside import printable

if TYPE_CHECKING:
    from zsad.video.frames import Frame


@dataclass(frozen=True)
class Shot:
    """One frame that is shown.

    Attributes:
        index: of the frame.
        seconds: its time.
        picture: as it is sent.
        motion: what moves in it, or None where nobody asked.
    """

    index: int
    seconds: float
    picture: Picture
    motion: Picture | None = None

    @property
    def label(self) -> str:
        """What is said before the picture."""
        return f"Frame {self.index}, {self.seconds:.1f} s:"


def read_shots(footage: Footage, frames: Sequence[int], *, motion: bool = False) -> tuple[list[Shot], tuple[int, int]]:
    """Read frames of a video; of each the motion frame as well, which needs the frame before it.

    Args:
        footage: the video.
        frames: ascending.
        motion: make motion frames. The first frame has none before it and shows what moves in the second.

    Returns:
        The shots, in order, and the width and height of a frame.

    Raises:
        InputError: the video has changed since it was looked at.
        MissingExtraError: OpenCV is not installed, for motion frames.
    """
    last = footage.facts.n_frames - 1
    pairs = {index: (max(index, 1) - 1, min(max(index, 1), last)) for index in frames} if motion else {}
    wanted = set(frames) | {one for pair in pairs.values() for one in pair}
    pictures: dict[int, tuple[float, Picture]] = {}
    moving: dict[int, Picture] = {}
    size, before = (0, 0), None
    for frame in footage.frames(wanted):
        size = frame.image.size
        if frame.index in frames:
            pictures[frame.index] = frame.timestamp, Picture.of(to_jpeg(frame.image))
        for index, pair in pairs.items():
            if pair[1] == frame.index:
                moving[index] = _motion(before, frame)
        before = frame
    if len(pictures) < len(frames):
        raise InputError(f"{printable(footage.source)}: changed while it was read; run again")
    return [Shot(index, *pictures[index], moving.get(index)) for index in frames], size


def _motion(before: Frame | None, frame: Frame) -> Picture:
    from zsad.video.motion_frames import motion_picture, no_motion

    if before is None or before.index != frame.index - 1:
        return Picture.of(to_jpeg(no_motion()))
    return Picture.of(to_jpeg(motion_picture(before, frame)))
