"""What scores of classes say: mAP at overlaps in time, and whether a video's class is named."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from zsad.metrics.metric import Metric, undefined
from zsad.metrics.spans import IOUS, VADCLIP, LabelledSpan, Proposal, map_at_iou, propose
from zsad.outside import printable
from zsad.video.evaluation.settle import SNIPPET, Settled, fitted
from zsad.video.labels.label import ANOMALY, NORMAL, Labels
from zsad.video.series import ScoreSeries

NO_CLASSES = "the scores have no classes"
NO_NAMES = "the labels name no classes"
_OTHER_SIGNS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class ByClass:
    """Figures of class scores, each ``nan`` with its reason where undefined.

    Attributes:
        map: overlap -> mAP, counted rightly: over the classes of anomalies that have labelled spans.
        map_vadclip: overlap -> mAP as VadCLIP and its successors count it.
        per_class: class -> AP at the first overlap.
        top1: part of the abnormal videos whose best class, by the mean of its highest sixteenth, is among theirs.
    """

    map: dict[float, Metric] = field(default_factory=dict)
    map_vadclip: dict[float, Metric] = field(default_factory=dict)
    per_class: dict[str, float] = field(default_factory=dict)
    top1: Metric = field(default_factory=lambda: undefined(NO_CLASSES))


def by_class(labels: Labels, videos: Sequence[Settled]) -> ByClass:
    """Measure class scores, if every video has them."""
    series = [video.scores.series for video in videos]
    every = [one for one in series if one is not None and one.classes]
    if not every or len(every) < len(videos):
        return _none(NO_CLASSES if not every else f"{len(videos) - len(every)} videos have no scores of classes")
    names, fault = _names(labels, every)
    if fault:
        return _none(fault)
    normal = next((column for column, name in names.items() if name == NORMAL), "")
    claims = _claims(names, videos, every, "")
    theirs = _claims(names, videos, every, VADCLIP)
    columns = {name: column for column, name in names.items()}
    truth = [[LabelledSpan(s, e, columns[label]) for s, e, label in video.label.events] for video in videos]
    # Their class list calls normal videos as XD-Violence does; on UCF-Crime the two names differ, and nothing is found.
    called = normal if labels.dataset == "xd-violence" and normal else "A"
    as_vadclip = [spans if video.label.abnormal else [LabelledSpan(0, len(video.frames.truth), called)]
                  for spans, video in zip(truth, videos, strict=True)]  # fmt: skip
    right = {iou: map_at_iou(truth, claims, iou, normal=normal) for iou in IOUS}
    return ByClass(
        {iou: one.map for iou, one in right.items()},
        {iou: map_at_iou(as_vadclip, theirs, iou, compat=VADCLIP).map for iou in IOUS},
        {names[column]: value for column, value in right[IOUS[0]].per_class.items()},
        _top1(names, videos, every),
    )


def average(found: dict[float, Metric]) -> Metric:
    """Return the mean over overlaps, as tables have it."""
    values = [one.value for one in found.values()]
    if not values or any(math.isnan(value) for value in values):
        return undefined(next((one.reason for one in found.values() if one.reason), NO_CLASSES))
    return Metric(float(np.mean(values)))


def _none(reason: str) -> ByClass:
    unmeasured = dict.fromkeys(IOUS, undefined(reason))
    return ByClass(dict(unmeasured), dict(unmeasured), {}, undefined(reason))


def _key(name: str) -> str:
    return _OTHER_SIGNS.sub("", name.lower())


def _names(labels: Labels, series: Sequence[ScoreSeries]) -> tuple[dict[str, str], str]:
    """Return each column of class scores -> the labels' name of that class, and what forbids a comparison."""
    columns = list(series[0].classes)
    if any(set(one.classes) != set(columns) for one in series):
        return {}, "the videos have scores of different classes"
    wanted = {label for video in labels.videos for label in video.classes}
    if not wanted - {ANOMALY}:
        return {}, NO_NAMES
    known = {_key(name): name for name in (*wanted, NORMAL)}
    found = {column: known.get(_key(labels.aliases.get(column.lower(), column)), column) for column in columns}
    absent = sorted(wanted - set(found.values()))
    if absent:
        return {}, f"no scores of the class {printable(absent[0])}, which is labelled"
    return found, ""


def _claims(names: dict[str, str], videos: Sequence[Settled], series: Sequence[ScoreSeries],
            compat: str) -> dict[str, list[Proposal]]:  # fmt: skip
    found: dict[str, list[Proposal]] = {column: [] for column in names}
    for i, (video, one) in enumerate(zip(videos, series, strict=True)):
        for column in names:
            at_frames = one.spread(one.classes[column])
            found[column] += propose(fitted(at_frames, video.label, video.scores), i, compat=compat)
    return found


def _top1(names: dict[str, str], videos: Sequence[Settled], series: Sequence[ScoreSeries]) -> Metric:
    hits = []
    for video, one in zip(videos, series, strict=True):
        if video.label.abnormal and len(one):
            best = max((column for column in names if names[column] != NORMAL), key=lambda c: _top(one.classes[c]))
            hits.append(names[best] in video.label.classes)
    return Metric(float(np.mean(hits))) if hits else undefined("no abnormal video")


def _top(column: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    return float(np.sort(column)[-(len(column) // SNIPPET + 1) :].mean())
