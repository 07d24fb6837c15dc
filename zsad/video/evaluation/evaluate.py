"""The measurement itself: settled labels and scores -> every figure, with baselines beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from zsad.errors import DatasetError
from zsad.metrics.alarms import Alarms, alarms_at
from zsad.metrics.bootstrap import Interval
from zsad.metrics.frames import baselines, frame_metrics
from zsad.metrics.frames_bootstrap import bootstrap_frames
from zsad.metrics.metric import Metric
from zsad.video.evaluation.by_class import ByClass, average, by_class
from zsad.video.evaluation.facts import plain
from zsad.video.evaluation.score_files import ScoresFound
from zsad.video.evaluation.settle import Settled, settle
from zsad.video.labels.label import Labels
from zsad.video.series import ScoreSeries

NO_RATE = "nobody says how many frames a second some videos have"


@dataclass(frozen=True)
class Evaluation:
    """Figures of one method on one test set.

    Attributes:
        labels: the test set as it was measured: videos with scores, their lengths known.
        metrics: by name, see :func:`zsad.metrics.frames.frame_metrics`.
        intervals: of the metrics, over resampled videos; empty if not asked for.
        baselines: name -> the same metrics.
        classes: what scores of classes say.
        alarms: at the threshold that was given, else None.
        series: what the scores say of themselves: methods, models and refiners, each once.
        pixels: metrics of the pixel level, if it was asked for.
        left_out: names of videos that have no scores.
        notes: what a reader should know.
    """

    labels: Labels
    metrics: Mapping[str, Metric]
    baselines: Mapping[str, Mapping[str, Metric]]
    classes: ByClass
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    alarms: Alarms | None = None
    series: Mapping[str, list[str]] = field(default_factory=dict)
    pixels: Mapping[str, Metric] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def with_pixels(self, pixels: Mapping[str, Metric], left_out: tuple[str, ...]) -> Evaluation:
        """Return the same with the pixel level; videos that it lacks are noted."""
        note = (f"pixel level: without {len(left_out)} videos, first {left_out[0]}",) if left_out else ()
        return replace(self, pixels=pixels, notes=(*self.notes, *note))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values; what is undefined is None, its reason under ``undefined``."""
        labels, classes = self.labels, self.classes
        every = {**self.metrics, "top1": classes.top1, "map_at_iou": average(classes.map)}
        found: dict[str, Any] = {
            "name": labels.dataset, "version": labels.version, "videos": len(labels.videos),
            "abnormal": labels.abnormal, "frames": labels.frames, "positives": labels.positives,
            "metrics": plain(self.metrics), "intervals": {name: list(pair) for name, pair in self.intervals.items()},
            "baselines": {name: plain(each) for name, each in self.baselines.items()},
            "map_at_iou": _overlaps(classes.map), "map_at_iou_vadclip": _overlaps(classes.map_vadclip),
            "per_class": dict(classes.per_class), "top1": plain({"": classes.top1})[""],
            "scores": {key: list(values) for key, values in self.series.items()},
            "left_out": list(self.left_out), "notes": list(self.notes),
            "undefined": {name: one.reason for name, one in every.items() if one.reason},
        }  # fmt: skip
        if self.pixels:
            found["pixels"] = plain(self.pixels)
        if self.alarms is not None:
            found["alarms"] = _alarms(self.alarms)
        return found


def evaluate(labels: Labels, found: ScoresFound, *, threshold: float | None = None, bootstrap: int = 0, seed: int = 0,
             fps: float = 0.0) -> Evaluation:  # fmt: skip
    """Measure scores of a test set.

    Args:
        labels: the test set.
        found: its scores.
        threshold: where alarms are counted, in the scores' own scale; None for none.
        bootstrap: number of resamples for intervals; 0 for none.
        seed: of the resamples.
        fps: frames per second where neither scores nor labels have them.

    Raises:
        DatasetError: labels and scores that do not fit, or an unknown rate where alarms are counted.
    """
    settled = settle(labels, found.scores, fps)
    frames = [video.frames for video in settled]
    metrics = frame_metrics(frames)
    alarms = None
    if threshold is not None:
        if not all(video.rate > 0 for video in settled):
            raise DatasetError(f"{labels.title}: {NO_RATE}, so that delays and alarms per hour have no unit; give it")
        alarms = alarms_at(frames, [video.rate for video in settled], threshold)
    return Evaluation(
        _measured(labels, settled),
        metrics,
        baselines([video.frames.truth for video in settled]),
        by_class(labels, settled),
        bootstrap_frames(frames, metrics, bootstrap, seed) if bootstrap else {},
        alarms,
        _said(settled),
        left_out=found.absent,
        notes=(*labels.notes, *_others(found)),
    )


def _measured(labels: Labels, settled: list[Settled]) -> Labels:
    return Labels(labels.dataset, labels.version, tuple(video.label for video in settled), aliases=labels.aliases,
                  fps=labels.fps, notes=labels.notes)  # fmt: skip


def _said(settled: list[Settled]) -> dict[str, list[str]]:
    """Collect what scores say of themselves; a bare array says nothing."""
    series = [video.scores.series for video in settled]
    known: list[ScoreSeries] = [one for one in series if one is not None]
    found = {
        "methods": sorted({one.method for one in known}),
        "models": sorted({one.model for one in known} - {""}),
        "refiners": sorted({", ".join(one.refiners) for one in known} - {""}),
        "partial": [video.label.name for video in settled if video.scores.series and video.scores.series.partial],
    }
    if len(known) < len(series):
        found["methods"].append("unnamed (.npy)")
    return found


def _others(found: ScoresFound) -> list[str]:
    count, first = found.others
    return [f"{count:,} files of scores belong to no video of the test set, first {first}"] if count else []


def _overlaps(found: Mapping[float, Metric]) -> dict[str, float | None]:
    each = plain({f"{iou:g}": one for iou, one in found.items()})
    return each | plain({"average": average(dict(found))})


def _alarms(alarms: Alarms) -> dict[str, Any]:
    delays = alarms.delays
    return {
        "threshold": alarms.threshold, "events": alarms.events, "found": alarms.found,
        "median_delay_s": alarms.median_delay if delays else None,
        "mean_delay_s": float(np.mean(delays)) if delays else None,
        "false_alarms": alarms.false_alarms, "normal_hours": alarms.normal_hours,
        "false_alarms_per_hour": (
            None if math.isnan(alarms.false_alarms_per_hour) else alarms.false_alarms_per_hour
        ),
    }  # fmt: skip
