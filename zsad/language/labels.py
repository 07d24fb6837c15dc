"""Labels of frames as LAVAD's and VERA's lists have them, and the keys of videos in such lists."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def video_key(name: str) -> str:
    """Return a video's key: its name without a literal ``.mp4`` or ``.avi``; other dots stay.

    >>> video_key("late.night=x__#2.mp4"), video_key("a.b.avi"), video_key("plain")
    ('late.night=x__#2', 'a.b', 'plain')
    """
    return name.removesuffix(".mp4") if name.endswith(".mp4") else name.removesuffix(".avi")


def frame_labels(
    spans: Sequence[tuple[int, int]],
    classes: Sequence[int],
    n_frames: int,
    *,
    inclusive: bool = False,
    normal: int = 0,
    first: int = 0,
) -> NDArray[np.int64]:
    """Return the class of each frame, (n_frames,) int64; a later span counts over an earlier one.

    Args:
        spans: pairs of frames; one with -1 is none.
        classes: of the spans; fewer than spans are filled up with the last.
        n_frames: of the video.
        inclusive: the end belongs to the span, as LAVAD's lists mean it; else spans are half-open.
        normal: the class of all other frames.
        first: frame that the video begins with.
    """
    labels = np.full(n_frames, normal, np.int64)
    for i, (start, end) in enumerate(spans):
        if start < 0 or end < 0:
            continue
        stop = end + 1 if inclusive else end
        labels[max(start - first, 0) : max(min(stop - first, n_frames), 0)] = classes[min(i, len(classes) - 1)]
    return labels
