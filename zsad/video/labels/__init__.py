"""Test sets of videos: which frames of which videos are anomalous, read from the files that the field shares.

``load_labels("ucf-crime@revised", folder)`` gives :class:`Labels`. Nothing is unpickled; what contradicts itself is
refused, and what was cut or counted in the field's way is noted.
"""

from zsad.video.labels.catalog import CSV, LABEL_RULES, VIDEO_DATASETS, VideoDataset, load_labels, parse_dataset
from zsad.video.labels.label import Labels, TimedSpan, VideoLabel

__all__ = [
    "CSV",
    "LABEL_RULES",
    "VIDEO_DATASETS",
    "Labels",
    "TimedSpan",
    "VideoDataset",
    "VideoLabel",
    "load_labels",
    "parse_dataset",
]
