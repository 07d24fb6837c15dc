"""Videos: frames in, one score per position out, and what follows from it: events, a page, an evaluation.

Every method, whether it looks at maps, motion or learned features, or asks a language model, is a ``VideoScorer`` that
gives a ``ScoreSeries``; whatever comes after reads nothing else. Spans of frames are half-open, ``[start, end)``.
"""

from zsad.video.finding import find_videos
from zsad.video.frames import Frame, Video
from zsad.video.series import FORMAT, ScoreSeries, read_series, write_series
from zsad.video.source import frame_items, open_video

__all__ = [
    "FORMAT",
    "Frame",
    "ScoreSeries",
    "Video",
    "find_videos",
    "frame_items",
    "open_video",
    "read_series",
    "write_series",
]
