"""Motion: how fast what moves between two frames, by dense optical flow or, cheaply, by their difference.

Flow is OpenCV's DIS on grey frames whose longer side is at most 256 px. Speeds are in percent of the frame's longer
side per second, so that neither resolution nor stride changes them much; where no frame rate is known, per frame.

Source: Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from zsad.errors import MissingExtraError, UsageError
from zsad.types import ByteArray, FloatArray

MotionKind = Literal["flow", "difference"]
KINDS: tuple[MotionKind, ...] = ("flow", "difference")
LONGEST = 256
"""Pixels of the longer side of what flow is computed on, at most."""
BLUR = 0.01
"""Gaussian of the map, as a share of its longer side."""
SHARE = 0.01
"""Of the map's pixels: the mean of so many of the highest is the score."""


class Motion:
    """Maps of motion between frames of one video, one after another.

    Args:
        kind: ``"flow"``, or ``"difference"`` of grey levels, which costs a tenth.
        rate: frames per second of the video; 0 where nobody knows.

    Raises:
        UsageError: another kind.
        MissingExtraError: OpenCV is not installed.
    """

    def __init__(self, kind: MotionKind = "flow", rate: float = 0.0) -> None:
        if kind not in KINDS:
            raise UsageError(f"kind of motion {kind!r:.40}: give {' or '.join(KINDS)}")
        self.kind, self._rate = kind, rate
        self._cv2 = opencv()
        self._flow = self._cv2.DISOpticalFlow_create(self._cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._before: ByteArray | None = None
        self._time = 0.0

    def __call__(self, grey: ByteArray, time: float) -> FloatArray | None:
        """Take the next frame.

        Args:
            grey: uint8 ``(h, w)``, of one size throughout.
            time: its seconds.

        Returns:
            float32 ``(h, w)``, how fast each pixel moved since the frame before, in percent of the longer side per
            second; of ``"difference"``, percent of the grey levels. None for the first frame.
        """
        before, since = self._before, self._time
        self._before, self._time = np.ascontiguousarray(grey), time
        if before is None:
            return None
        if self.kind == "difference":
            raw = self._cv2.absdiff(before, self._before).astype(np.float32) * np.float32(100 / 255)
        else:
            raw = magnitude(self._flow.calc(before, self._before, None)) * np.float32(self._scale(time - since, grey))
        sigma = BLUR * max(grey.shape)
        blurred: FloatArray = self._cv2.GaussianBlur(raw, (0, 0), sigma, borderType=self._cv2.BORDER_REFLECT)
        return blurred

    def _scale(self, gap: float, grey: ByteArray) -> float:
        """Return what turns pixels between two frames into percent of the longer side per second."""
        if not self._rate:
            gap = 1.0
        elif gap <= 0:  # two frames with one time
            gap = 1 / self._rate
        return 100.0 / float(max(grey.shape)) / gap


def magnitude(flow: FloatArray) -> FloatArray:
    """Return the length of vectors ``(h, w, 2)``: float32 ``(h, w)``."""
    found: FloatArray = np.hypot(flow[..., 0], flow[..., 1])
    return found


def top_mean(values: FloatArray, share: float = SHARE) -> float:
    """Return the mean of the highest values of a map: a share of its pixels, at least one.

    >>> top_mean(np.arange(200, dtype=np.float32).reshape(10, 20))
    198.5
    """
    count = max(1, round(share * values.size))
    return float(np.partition(values.ravel(), -count)[-count:].mean(dtype=np.float64))


def opencv() -> Any:
    """Return the module ``cv2``.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import cv2
    except ModuleNotFoundError:
        raise MissingExtraError("motion", "video") from None
    return cv2
