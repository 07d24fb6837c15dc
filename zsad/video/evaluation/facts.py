"""What a test set is made of, and what can be reached on it without looking at a video."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from zsad.metrics.frames import BASELINES, FRAME_METRICS, VideoFrames, baselines, frame_metrics, video_oracle
from zsad.metrics.metric import Metric, undefined
from zsad.video.labels.label import Labels

UNKNOWN = "the lengths of single videos come with the scores"


def facts(labels: Labels) -> dict[str, Any]:
    """Return a test set's counts and content-free baselines, as plain values.

    Returns:
        ``name``, ``version``, counts ``videos``, ``abnormal``, ``frames`` and ``positives`` (None where nobody knows),
        ``raw`` (the counts before the field's cut) where there is one, ``baselines`` (name -> metric -> value in
        [0, 1], or None), ``undefined`` (reasons of those) and ``notes``.
    """
    found: dict[str, Any] = {
        "name": labels.dataset,
        "version": labels.version,
        "videos": len(labels.videos),
        "abnormal": labels.abnormal,
        "frames": labels.frames,
        "positives": labels.positives,
    }
    if labels.raw is not None:
        found["raw"] = {"frames": labels.raw[0], "positives": labels.raw[1]}
    measured = label_baselines(labels)
    reasons = {one.reason for each in measured.values() for one in each.values() if one.reason}
    return found | {
        "baselines": {name: plain(each) for name, each in measured.items()},
        "undefined": sorted(reasons),
        "notes": list(labels.notes),
    }


def label_baselines(labels: Labels) -> dict[str, dict[str, Metric]]:
    """Measure the content-free baselines on labels alone, those that lengths are known for."""
    if all(video.n_frames is not None for video in labels.videos) and not any(v.timed for v in labels.videos):
        return baselines([video.truth() for video in labels.videos])
    unmeasured = dict.fromkeys(FRAME_METRICS, undefined(UNKNOWN))
    found = {name: dict(unmeasured) for name in BASELINES}
    if labels.joined is None and labels.unknown_frames is not None:
        # The oracle asks only how many frames the normal videos have together.
        truths = [video.truth() for video in labels.videos if video.n_frames is not None]
        truths.append(np.zeros(labels.unknown_frames, np.bool_))
        found["video_oracle"] = frame_metrics([VideoFrames(truth, video_oracle(truth)) for truth in truths])
    return found


def plain(metrics: Mapping[str, Metric]) -> dict[str, float | None]:
    """Return values for JSON: None for what is undefined."""
    return {name: None if math.isnan(metric.value) else metric.value for name, metric in metrics.items()}
