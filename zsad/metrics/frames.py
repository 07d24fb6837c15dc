"""Frame scores of videos against frame labels: areas over all frames, over abnormal videos, and per video.

Beside a method's figures stand those of content-free baselines, which look at no pixel: a score for whole videos that
knows which are abnormal, a prior for a video's middle, and both multiplied. On UCF-Crime they reach published figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from zsad.errors import MetricError
from zsad.metrics.curves import RankedScores, ap, auroc, one_class, rank
from zsad.metrics.metric import Metric, Scores, checked_scores, checked_truth, undefined

Truth: TypeAlias = NDArray[np.bool_]
FRAME_METRICS = ("auc", "auc_abnormal", "auc_macro", "ap", "pr_auc_trapezoid")
"""Keys of :func:`frame_metrics`, in the order of tables."""
NO_BOTH = "no video has both normal and anomalous frames"


@dataclass(frozen=True)
class VideoFrames:
    """One video's frames.

    Attributes:
        truth: ``(n,)``, which frames are anomalous.
        scores: ``(n,)`` finite; larger is more anomalous.
    """

    truth: Truth
    scores: Scores

    @classmethod
    def of(cls, truth: NDArray[np.generic], scores: NDArray[np.generic], where: str = "video") -> VideoFrames:
        """Check one video.

        Raises:
            MetricError: NaN or infinite scores, labels other than 0 and 1, or lengths that differ.
        """
        flags, values = checked_truth(truth, f"{where}: labels"), checked_scores(scores, f"{where}: scores")
        if flags.ndim != 1 or flags.shape != values.shape:
            raise MetricError(
                f"{where}: labels {flags.shape} and scores {values.shape} must be (frames,) of one length"
            )
        return cls(flags, values)


def trapezoid(ranked: RankedScores) -> Metric:
    """Area under the precision-recall curve with straight lines between its points, as UR-DMU and LAVAD report it.

    A line between two points promises what no threshold gives; with ties this is far from average precision. It is here
    for comparison with figures that were measured so.

    Source: the trapezoidal rule on scikit-learn's ``precision_recall_curve``, whose curve ends at (recall 0,
    precision 1).
    """
    if reason := one_class(ranked):
        return undefined(reason)
    before = ranked.hits - np.diff(ranked.hits, prepend=0)
    # Precision at the threshold just above each positive score: the negatives in between are counted, no hit is new.
    seen = before + ranked.above
    left = np.where(seen > 0, before / np.maximum(seen, 1), 1.0)
    right = ranked.hits / (ranked.hits + ranked.reach)
    return Metric(float(((ranked.hits - before) * (left + right)).sum() / (2 * ranked.positives)))


def frame_metrics(videos: Sequence[VideoFrames]) -> dict[str, Metric]:
    """Every frame metric of a set of videos.

    Args:
        videos: scores of different videos are compared as they are.

    Returns:
        In [0, 1], or ``nan`` with its reason: ``auc`` over all frames (micro), ``auc_abnormal`` over the frames of
        videos with an anomalous frame, ``auc_macro`` the mean over videos that have both kinds of frames, ``ap``
        (step-wise average precision) and ``pr_auc_trapezoid`` over all frames.

    >>> one = VideoFrames(np.array([False, True]), np.array([0.2, 0.9]))
    >>> frame_metrics([one])["auc"].value
    1.0
    """
    ranked = ranked_frames(videos)
    abnormal = [video for video in videos if video.truth.any()]
    each = [auroc(ranked_frames([video])).value for video in abnormal if not video.truth.all()]
    return {
        "auc": auroc(ranked),
        "auc_abnormal": auroc(ranked_frames(abnormal)) if len(abnormal) < len(videos) else auroc(ranked),
        "auc_macro": Metric(float(np.mean(each))) if each else undefined(NO_BOTH),
        "ap": ap(ranked),
        "pr_auc_trapezoid": trapezoid(ranked),
    }


def ranked_frames(videos: Sequence[VideoFrames]) -> RankedScores:
    """Sort the frames of all videos together."""
    none = np.zeros(0)
    return rank(
        np.concatenate([video.scores[~video.truth] for video in videos] or [none]),
        np.concatenate([video.scores[video.truth] for video in videos] or [none]),
    )


def video_oracle(truth: Truth) -> Scores:
    """Score 1 for every frame of a video that has an anomalous one, else 0.

    >>> video_oracle(np.array([False, True])).tolist()
    [1.0, 1.0]
    """
    return np.full(len(truth), float(truth.any()))


def centre_prior(truth: Truth) -> Scores:
    """Score frames by how near they are to the middle of their video, and by nothing else.

    Source: exp(-(i - c)^2 / (2 s^2)) with c = s = n / 2, the weight of VERA's third step.

    >>> centre_prior(np.zeros(4, bool)).round(3).tolist()
    [0.607, 0.882, 1.0, 0.882]
    """
    half = len(truth) / 2
    return np.asarray(np.exp(-(((np.arange(len(truth)) - half) / max(half, 0.5)) ** 2) / 2))


def oracle_and_centre(truth: Truth) -> Scores:
    """Return :func:`video_oracle` times :func:`centre_prior`."""
    return video_oracle(truth) * centre_prior(truth)


BASELINES: dict[str, Callable[[Truth], Scores]] = {
    "video_oracle": video_oracle,
    "centre_prior": centre_prior,
    "product": oracle_and_centre,
}
"""Scores that are made without looking at a video: from its labels, its length, or both."""


def baselines(truths: Sequence[Truth]) -> dict[str, dict[str, Metric]]:
    """Measure every content-free baseline on a set of labels: its name -> what :func:`frame_metrics` gives."""
    return {
        name: frame_metrics([VideoFrames(truth, score(truth)) for truth in truths]) for name, score in BASELINES.items()
    }
