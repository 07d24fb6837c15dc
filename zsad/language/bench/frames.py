"""Which frames a model or a judge is shown: evenly, by the annotated moments, by ranked quarters, by importance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zsad.language.bench.items import Question, Span
from zsad.language.embedding import Embedder
from zsad.language.footage import Footage
from zsad.language.importance import WEIGHTS as SENTENCES
from zsad.language.importance import (
    best_quarters,
    coarse_frames,
    fine_frames,
    importance_by_cosine,
    moment_frames,
    moments_added,
    moments_replaced,
    peaks,
    uniform,
)

SAMPLINGS = ("uniform", "replaced", "added", "ranked")
QUARTERS = 4
HINTED = ("Classification", "Description", "Cause", "Result")
"""Tasks that may be told when it happens; it would answer the other two."""


def even_frames(footage: Footage, count: int, span: Span | None = None) -> tuple[int, ...]:
    """Return the middles of equal parts of a video, or of a span of seconds of it; all frames where there are few."""
    first, last = 0, footage.facts.n_frames
    if span is not None:
        first = min(int(span[0] * footage.facts.fps), last - 1)
        last = max(first + 1, min(round(span[1] * footage.facts.fps), last))
    if last - first <= count:
        return tuple(range(first, last))
    return tuple(sorted({first + frame for frame in uniform(last - first, count)}))


def by_moments(footage: Footage, question: Question, sampling: str, count: int, seed: int) -> tuple[int, ...]:
    """Return frames that the annotated moments have changed; evenly where there are none, or the task must not know."""
    n, fps = footage.facts.n_frames, footage.facts.fps
    if question.task not in HINTED or not question.moments:
        return even_frames(footage, count)
    if sampling == "replaced":
        spans = [(min(a, n - 1), min(b, n - 1)) for a, b in moment_frames(question.moments, fps)]
        return tuple(moments_replaced(n, spans, count, seed))
    whole = [(int(start), int(end)) for start, end in question.moments]
    return tuple(moments_added(n, fps, whole, count))


def hint_of(question: Question) -> str:
    """Return when something happens, as text; ``""`` where the task must not know it.

    >>> hint_of(Question("a", "a", "Cause", "x", moments=((12.0, 34.0),)))
    'from 12 s to 34 s'
    """
    if question.task not in HINTED:
        return ""
    return ", ".join(f"from {start:g} s to {end:g} s" for start, end in question.moments)


def quarters(footage: Footage, count: int) -> list[tuple[int, ...]]:
    """Return an even choice of frames in four parts of equal size; one part where there are fewer than four frames."""
    frames = even_frames(footage, count)
    size = len(frames) // QUARTERS
    if not size:
        return [frames]
    return [frames[k * size : (k + 1) * size] for k in range(QUARTERS)]


def best(parts: Sequence[tuple[int, ...]], order: Sequence[int] | None) -> tuple[int, ...]:
    """Return the frames of the two quarters that a ranking begins with; all where there is none."""
    whole = [frame for part in parts for frame in part]
    if order is None or len(parts) < QUARTERS:
        return tuple(whole)
    return tuple(whole[i] for part in best_quarters(order, len(whole)) for i in part)


def by_importance(
    footage: Footage, sentences: Sequence[str], embedder: Embedder, count: int
) -> tuple[tuple[int, ...], list[int]]:
    """Return frames that are dense about the peaks of the importance curve, and the peaks' frames.

    Args:
        footage: the video.
        sentences: key sentences, the most important first; four count.
        embedder: gives vectors of frames and texts.
        count: frames, at most.

    Source: CUVA (CVPR 2024): cosines of every 30th frame and the key sentences, weighted; above 0.35 a peak has ten
    more frames about it.
    """
    n = footage.facts.n_frames
    coarse = coarse_frames(n)
    if not coarse:
        return even_frames(footage, count), []
    vectors = footage.vectors(coarse, embedder)
    curve = importance_by_cosine(
        np.stack([vectors[frame] for frame in coarse]), embedder.texts(list(sentences[: len(SENTENCES)]))
    )
    at = peaks(curve)
    fine = fine_frames(n, at)
    return tuple(sorted({fine[i] for i in uniform(len(fine), count)})), [coarse[i] for i in at]
