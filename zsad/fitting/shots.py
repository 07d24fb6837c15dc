"""An evaluation with shots: each class is measured by a detector that was fitted to some of its good images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from zsad.data.spec import DataSpec
from zsad.data.training_split import training_images
from zsad.detector.base import Detector
from zsad.errors import DatasetError
from zsad.fitting import fit_detector
from zsad.fitting.good import Shots
from zsad.fitting.mutual import mutual_detector
from zsad.fitting.settle import Options
from zsad.stream import Item, from_iterable
from zsad.types import Sample


@dataclass(frozen=True)
class Prepared:
    """What one class is measured with.

    Attributes:
        detector: fitted to the class.
        samples: those that are measured: none of them was learned from.
        note: which good images it was fitted to.
    """

    detector: Detector
    samples: list[Sample]
    note: str


Prepare = Callable[[str, str, Sequence[Sample], int], Prepared]
"""``(dataset, class, samples, seed)`` -> what the class is measured with; raises DatasetError where it can't be."""


def by_shots(
    base: Detector,
    specs: Sequence[DataSpec],
    shots: Shots,
    *,
    fused: bool = False,
    rotations: Literal["auto", "none", 8] = "auto",
    foreground: Literal["auto", "on", "off"] = "auto",
    patches: int = 10_000,
) -> Prepare:
    """Return what fits a detector to the good images of a class, drawn by seed.

    They are from the training split where the dataset has one, else normal images that are then not measured.

    Args:
        base: gives features.
        specs: where the datasets lie.
        shots: how many good images; fewer where there are no more, which is said.
        fused: whether zero-shot counts beside the memory.
        rotations: as :class:`~zsad.fitting.settle.Options`.
        foreground: the same.
        patches: the same.
    """
    training = {spec.key: training_images(spec) for spec in specs}

    def prepare(key: str, name: str, samples: Sequence[Sample], seed: int) -> Prepared:
        images, held = training.get(key, {}).get(name, []), False
        if not images:
            images, held = [sample.image for sample in samples if sample.label == 0], True
        if not images:
            raise DatasetError(f"{key}/{name}: no good image to fit to, neither for training nor among those measured")
        wanted = len(images) if shots == "all" else shots
        if held and wanted >= len(images):
            raise DatasetError(
                f"{key}/{name}: {len(images)} normal images, so that --shots {shots} leaves none to measure"
            )
        order = np.random.default_rng([seed, 3]).permutation(len(images))[:wanted]
        chosen = [images[i] for i in sorted(order)]
        options = Options(seed, rotations, foreground, patches)
        fitted = fit_detector(base, list(from_iterable(chosen)), options, shots=shots)
        detector = base.with_scorer(fitted.bundle.scorer(fused=fused))
        gone = set(chosen) if held else set()
        source = "held back from its normal images" if held else "of its training split"
        said = [f"fitted to {len(fitted.bundle.card.images)} good images {source}", *_unused(fitted.failed)]
        note = f"{key}/{name}: {'; '.join([*said, *filter(None, (fitted.bundle.card.chosen, *fitted.notes))])}"
        return Prepared(detector, [sample for sample in samples if sample.image not in gone], note)

    return prepare


def _unused(failed: Sequence[str]) -> list[str]:
    more = f" and {len(failed) - 1:,} more" if len(failed) > 1 else ""
    return [f"{len(failed):,} could not be used: {failed[0]}{more}"] if failed else []


def by_each_other(base: Detector) -> Prepare:
    """Return what compares the images of a class with each other: mutual scores."""

    def prepare(key: str, name: str, samples: Sequence[Sample], seed: int) -> Prepared:
        items: list[Item] = list(from_iterable(dict.fromkeys(sample.image for sample in samples)))
        note = f"{key}/{name}: mutual, its images against each other"
        return Prepared(mutual_detector(base, items, seed=seed), list(samples), note)

    return prepare
