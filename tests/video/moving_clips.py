"""Clips whose anomaly is known: a square crosses the lower half, slowly, then fast."""

from __future__ import annotations

import numpy as np

from tests.video.clips import write_clip

FRAMES, FAST = 34, range(24, 30)
SIZE = (96, 72)


def draw(index, frame):
    """Frames of :data:`FAST` have the square at six pixels a frame, the others at one."""
    ground = np.add.outer(np.sin(np.arange(72) / 5), np.cos(np.arange(96) / 7))
    frame[:] = (120 + 25 * ground)[..., None]
    at = index + 5 * sum(index > k for k in FAST)
    rows = 60 + 40 * np.sin(np.add.outer(np.arange(14) * 0.9, np.arange(14) * 0.7))
    frame[46:60, 4 + at : 18 + at] = rows[..., None]


def calm(index, frame):
    draw(index % 24, frame)


def fast_clip(path, frames=FRAMES, **more):
    return write_clip(path, frames, draw=draw, size=SIZE, **more)


def calm_clip(path, frames=24, **more):
    return write_clip(path, frames, draw=calm, size=SIZE, **more)
