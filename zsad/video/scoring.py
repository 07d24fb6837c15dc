"""One video through a method: scores, refined; its maps; and whatever was there when it broke off."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zsad.video.frames import Video
from zsad.video.maps import MapStore
from zsad.video.refine import apply_refiners
from zsad.video.scorer import OnFrame
from zsad.video.series import ScoreSeries
from zsad.video.source import open_video

if TYPE_CHECKING:
    from zsad.video.methods.look import FrameMethod, Look

OnLook = Callable[["Look", "Video"], None]
Features = Callable[[ScoreSeries], NDArray[Any]]
"""Given the scores of a video; gives a row of features for each position."""


@dataclass(frozen=True)
class Looked:
    """What is known of a video after it was looked at.

    Attributes:
        series: its scores, refined.
        width: pixels of a frame.
        height: the same.
        maps: of each position, if they were kept.
        fault: why it is partial, in one line; or ``""``.
        interrupted: the interruption that ended it, or None.
        seconds: that it took.
    """

    series: ScoreSeries
    width: int
    height: int
    maps: MapStore | None = None
    fault: str = ""
    interrupted: KeyboardInterrupt | None = None
    seconds: float = field(default=0.0, compare=False)


def look_at(
    method: FrameMethod,
    source: str | Path,
    on_frame: OnFrame = lambda done, total: None,
    *,
    maps: MapStore | None = None,
    on_look: OnLook = lambda look, video: None,
    features: Features | None = None,
) -> Looked:
    """Score a video; one that breaks off, by damage or by an interruption, is partial.

    Args:
        method: what looks at frames.
        source: a video file, or a folder of numbered frames.
        on_frame: told of frames read and, where it is known, frames in all.
        maps: where maps are put down.
        on_look: told of each frame's look.
        features: asked for what the refiner ``retrieval`` needs.

    Raises:
        InputError: the video can't be used.
    """
    start = time.monotonic()
    values, timestamps, positions = array("d"), array("d"), array("q")
    interrupted: KeyboardInterrupt | None = None
    with open_video(source, fps=method.sampling.folder_fps) as video:
        try:
            with closing(method.looks(video)) as looks:
                for look in looks:
                    if maps is not None:
                        maps.add(look.map)
                    on_look(look, video)
                    values.append(look.score)
                    positions.append(look.frame.index)
                    timestamps.append(look.frame.timestamp)
                    on_frame(look.frame.index + 1, video.n_frames)
        except KeyboardInterrupt as ending:
            interrupted = ending.with_traceback(None)
        count = min(len(values), len(positions), len(timestamps))
        series = ScoreSeries(
            np.array(values[:count]),
            np.array(positions[:count], np.int64),
            np.array(timestamps[:count]),
            _frames(video, positions[count - 1] + 1 if count else 0, interrupted is not None),
            video.fps,
            method.name,
            method.model,
            partial=bool(video.fault) or interrupted is not None,
        )
        fault = "interrupted" if interrupted is not None else video.fault
        refined = apply_refiners(series, method.refiners, None if features is None else features(series))
        return Looked(refined, video.width, video.height, maps, fault, interrupted, time.monotonic() - start)


def _frames(video: Video, least: int, interrupted: bool) -> int:
    """Return the frames of a video that was read to its end; of an interrupted one, those that were scored."""
    return least if interrupted else max(least, video.read)
