"""Spans of classes in videos: proposals out of class scores, and their mean average precision at overlaps in time.

All spans are half-open, ``[start, end)``, in frames. The rule of proposals is VadCLIP's, which the field measures with.
``compat="vadclip"`` repeats its averaging too: a class without labelled spans counts as 0, so that a perfect detector
gets 92.86 on UCF-Crime; one class without a proposal makes the whole result 0; videos under 16 frames have no proposal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsad.errors import MetricError
from zsad.metrics.metric import Metric, checked_scores, undefined
from zsad.outside import shown

IOUS = (0.1, 0.2, 0.3, 0.4, 0.5)
"""Overlaps that published figures are given at."""
VADCLIP = "vadclip"
_SHARE, _BONUS, _SHORTEST, _TOP = 0.6, 0.7, 2, 16
NO_SPAN = "no class has a labelled span"


class LabelledSpan(NamedTuple):
    """What is true: frames ``[start, end)`` show ``label``."""

    start: int
    end: int
    label: str


class Proposal(NamedTuple):
    """What is claimed: frames ``[start, end)`` of a video, with a score; larger is surer."""

    video: int
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class Detection:
    """Mean average precision at one overlap.

    Attributes:
        map: in [0, 1], mean over the classes that count; ``nan`` with its reason where none does.
        per_class: AP in [0, 1] of each class that has labelled spans; with ``compat`` of every class reached.
    """

    map: Metric
    per_class: Mapping[str, float] = field(default_factory=dict)


def runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the maximal runs of true values, as half-open spans in order.

    >>> runs(np.array([True, False, True, True]))
    [(0, 1), (2, 4)]
    """
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0)).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def propose(column: NDArray[Any], video: int = 0, *, compat: str = "") -> list[Proposal]:
    """Cut the scores of one class in one video into spans.

    Args:
        column: ``(n,)`` finite, one score per frame.
        video: the number that proposals carry.
        compat: ``"vadclip"`` gives a video of fewer than 16 frames no proposal.

    Returns:
        Runs of at least 2 frames above ``max - 0.6 (max - min)``, each with its highest score plus 0.7 times the mean
        of the highest sixteenth of the column. A constant column, or one whose top is not above 0, gives none.

    Source: VadCLIP's evaluation (Wu et al., AAAI 2024), as described in the project's reference.
    """
    values = checked_scores(column, "class scores")
    count = len(values) // _TOP if compat == VADCLIP else max(1, len(values) // _TOP)
    if not count or not len(values):
        return []
    top = float(np.sort(values)[-count:].mean())
    if not top > 0:
        return []
    high, low = values.max(), values.min()
    spans = runs(values > high - (high - low) * _SHARE)
    return [
        Proposal(video, start, end, float(values[start:end].max()) + _BONUS * top)
        for start, end in spans
        if end - start >= _SHORTEST
    ]


def average_precision_at(proposals: Iterable[Proposal], truth: Mapping[int, Sequence[tuple[int, int]]],
                         iou: float) -> float:  # fmt: skip
    """Average precision of one class at one overlap.

    The proposals of all videos stand in the order of their scores (equal ones as given). Each takes, of its video's
    spans that are still free, the one that it overlaps most, if the overlap reaches ``iou``.

    Args:
        proposals: of all videos.
        truth: number of a video -> its spans; at least one in all.
        iou: in (0, 1].

    Returns:
        In [0, 1]: precision at the rank of each hit, summed, over the number of spans.

    Source: AP = sum of precision at hits / positives, as in ActivityNet's and VadCLIP's evaluations.

    >>> average_precision_at([Proposal(0, 0, 10, 0.9), Proposal(0, 20, 30, 0.8)], {0: [(21, 30)]}, 0.5)
    0.5
    """
    free = {video: list(spans) for video, spans in truth.items()}
    total, hits = sum(len(spans) for spans in free.values()), 0
    found = 0.0
    for rank, one in enumerate(sorted(proposals, key=lambda p: -p.score), 1):
        spans = free.get(one.video)
        if not spans:
            continue
        overlaps = [_iou((one.start, one.end), span) for span in spans]
        best = max(range(len(spans)), key=overlaps.__getitem__)
        if overlaps[best] >= iou:
            hits += 1
            found += hits / rank
            del spans[best]
    return found / total


def _iou(a: tuple[int, int], b: tuple[int, int]) -> float:
    shared = max(0, min(a[1], b[1]) - max(a[0], b[0]))
    return shared / (a[1] - a[0] + b[1] - b[0] - shared)


def map_at_iou(
    truth: Sequence[Sequence[LabelledSpan]],
    proposals: Mapping[str, Sequence[Proposal]],
    iou: float,
    *,
    normal: str = "",
    compat: str = "",
) -> Detection:
    """Mean average precision over classes at one overlap in time.

    Args:
        truth: the labelled spans of each video, in the order that proposals number them.
        proposals: every class, in order -> what :func:`propose` gave for it, all videos together.
        iou: overlap that counts as found, in (0, 1].
        normal: the class, if any, that is no anomaly; it is left out of the mean, its videos are not.
        compat: ``"vadclip"`` averages as VadCLIP does: over every class, labelled or not, the normal one too, and 0 in
            all if a class has no proposal. A label that is no class is passed over.

    Raises:
        MetricError: a label that is none of the classes, or an unknown ``compat``.
    """
    if compat not in ("", VADCLIP):
        raise MetricError(f"compat {shown(compat)}: only {VADCLIP!r} is known for mAP")
    spans: dict[str, dict[int, list[tuple[int, int]]]] = {name: {} for name in proposals}
    for video, labelled in enumerate(truth):
        for start, end, label in labelled:
            if label in spans:
                spans[label].setdefault(video, []).append((start, end))
            elif not compat:
                raise MetricError(f"label {shown(label)} of video {video} is none of the classes that have scores")
    return _as_vadclip(spans, proposals, iou) if compat else _rightly(spans, proposals, iou, normal)


_Spans = Mapping[str, Mapping[int, Sequence[tuple[int, int]]]]


def _rightly(spans: _Spans, proposals: Mapping[str, Sequence[Proposal]], iou: float, normal: str) -> Detection:
    each = {name: average_precision_at(proposals[name], spans[name], iou) for name in proposals if spans[name]}
    counted = [value for name, value in each.items() if name != normal]
    return Detection(Metric(float(np.mean(counted))) if counted else undefined(NO_SPAN), each)


def _as_vadclip(spans: _Spans, proposals: Mapping[str, Sequence[Proposal]], iou: float) -> Detection:
    each: dict[str, float] = {}
    for name, claimed in proposals.items():
        if not claimed:
            return Detection(Metric(0.0), each)
        each[name] = average_precision_at(claimed, spans[name], iou) if spans[name] else 0.0
    return Detection(Metric(float(np.mean(list(each.values())))) if each else undefined(NO_SPAN), each)
