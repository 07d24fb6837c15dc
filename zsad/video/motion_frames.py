"""Motion frames: what moves between two frames, in colour; all else is black.

Source: HAWK (CVPR 2024), section on motion modality, in the form of its published code: dense flow by Farneback between
neighbouring frames of the full rate, a mask of what moves by more than 0.2 px, times the later frame. Its paper weights
by normalised speed instead: ``soft``.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from zsad.types import ByteArray, FloatArray
from zsad.video.frames import Frame
from zsad.video.motion import magnitude, opencv

SIDE = 224
"""Pixels of the square that frames are squeezed to."""
MOVED = 0.2
"""Pixels between two frames from which something moves."""
_FARNEBACK = {"pyr_scale": 0.5, "levels": 3, "winsize": 10, "iterations": 3, "poly_n": 5, "poly_sigma": 1.2, "flags": 0}


def motion_frame(before: ByteArray, after: ByteArray, *, soft: bool = False) -> ByteArray:
    """Return the later of two neighbouring frames where something moves.

    Args:
        before: uint8 ``(H, W, 3)``, RGB.
        after: the same of the frame that follows.
        soft: weigh by speed, 1 for the fastest pixel, instead of a mask.

    Returns:
        uint8 ``(H, W, 3)``, RGB.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    speed = flow_magnitude(before, after)
    if not soft:
        return after * (speed > MOVED)[..., None]
    spread = float(speed.max() - speed.min())
    weights = (speed - speed.min()) / spread if spread > 0 else np.zeros_like(speed)
    return np.asarray(np.rint(after * weights[..., None]), np.uint8)


def flow_magnitude(before: ByteArray, after: ByteArray) -> FloatArray:
    """Return how far each pixel moved between two frames: float32 ``(H, W)``, in pixels."""
    cv2 = opencv()
    first, second = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (before, after))
    return magnitude(cv2.calcOpticalFlowFarneback(first, second, None, **_FARNEBACK))


def motion_picture(before: Frame, after: Frame) -> Image.Image:
    """Return the motion frame of two neighbouring frames of a video: RGB, ``SIDE`` pixels square."""
    first, second = (np.asarray(frame.resized((SIDE, SIDE)).image) for frame in (before, after))
    return Image.fromarray(motion_frame(first, second))


def no_motion() -> Image.Image:
    """Return the motion frame of a video that has one frame: black."""
    return Image.new("RGB", (SIDE, SIDE))
