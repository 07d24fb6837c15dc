"""Labelled samples through the shared loop: opened ahead, each one looked at by itself, in order."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zsad.detector.base import Detector
from zsad.errors import DatasetError, InputError, ZsadError
from zsad.evaluation.view import Opened, Resolution, View, look, opened
from zsad.metrics.curves import auroc, rank
from zsad.stream.flow import flow
from zsad.stream.item import Item
from zsad.stream.memory import DRAWING, MAP, image_bytes, opening_bytes
from zsad.types import Sample


@dataclass(frozen=True)
class Look:
    """What became of one sample.

    Attributes:
        sample: which one.
        view: how it is measured, or None if it can't be used.
        own_auroc: how well its map finds its own mask; None without a defect pixel.
        error: why it can't be used, with its name.
    """

    sample: Sample
    view: View | None = None
    own_auroc: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Labelled(Item):
    """A sample on its way through the loop."""

    sample: Sample = field(default=Sample(Path(), None), compare=False)


def looks(
    detector: Detector,
    samples: Sequence[Sample],
    resolution: Resolution,
    lanes: int,
    progress: Callable[[Sample], None] | None = None,
) -> Generator[Look, None, None]:
    """Look at samples one by one.

    Args:
        detector: any detector, as it is called by ``lanes`` threads.
        samples: labelled samples.
        resolution: what maps and masks are resized to.
        lanes: number of threads that call the detector.
        progress: called after each image, in order.

    Yields:
        One entry per sample, in order.

    Raises:
        ZsadError: what the detector raises that is not an image's fault.
    """

    def work(one: Sequence[Opened]) -> list[tuple[View, float | None]]:
        seen = look(detector, one[0], resolution)
        return [(seen, _own_auroc(seen))]

    # Finding regions, and ranking all pixels of a map, take as much as drawing them.
    a_pixel = DRAWING if detector.thresholds.judges or resolution == "original" else MAP
    items = (_Labelled(str(index), key_of(s), s.image, sample=s) for index, s in enumerate(samples))
    outcomes = flow(
        items,
        lambda item: opened(detector, item.sample, resolution),
        work,
        lanes=lanes,
        batch_size=1,  # strict: nothing of one image depends on another
        size=_bytes,
        weigh=lambda item: opening_bytes(item.file),
        need=lambda one: _bytes(one) + a_pixel * one.image.image.width * one.image.image.height,
    )
    with closing(outcomes):
        for outcome in outcomes:
            sample = outcome.item.sample
            if progress is not None:
                progress(sample)
            if outcome.value is not None:
                yield Look(sample, *outcome.value)
            elif isinstance(outcome.failure, InputError | DatasetError):
                text = str(outcome.failure)
                yield Look(sample, error=text if str(sample.image) in text else f"{sample.image}: {text}")
            elif isinstance(outcome.failure, ZsadError):  # a damaged model, say
                raise outcome.failure
            else:
                yield Look(sample, error=outcome.error)


def key_of(sample: Sample) -> str:
    """Return what a sample is called in reports."""
    return sample.key or str(sample.image)


def _bytes(one: Opened) -> int:
    return image_bytes(one.image.image) + (0 if one.mask is None else one.mask.nbytes)


def _own_auroc(seen: View) -> float | None:
    if seen.mask is None or not np.isfinite(seen.map).all():
        return None
    own = auroc(rank(seen.map[seen.mask == 0], seen.map[seen.mask == 1]))
    return None if own.reason else own.value
