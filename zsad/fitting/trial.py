"""A trial on the good images alone: each against the others, with drawn defects on it; no test image is ever seen.

It answers three questions: do turned views help, does leaving the background out help, and how do memory and zero-shot
go together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np
import numpy.typing as npt
from PIL import Image

from zsad import synthetic
from zsad.detector.base import Detector
from zsad.fitting.reading import unit_features
from zsad.fitting.views import shifted, views
from zsad.metrics.curves import ap, rank_labels
from zsad.scoring import Fusion, Memory, MemoryScorer
from zsad.scoring.foreground import Foreground
from zsad.scoring.memory import distances, highest
from zsad.types import FloatArray

IMAGES = 6
"""Good images of a trial, at most."""
DEFECTS = 4
"""Drawn defects on each."""
GAIN = 0.01
"""Average precision that an option must gain to be taken."""
BLIND_GAIN = 0.1
"""The same of leaving the background out, which costs what no trial shows: a defect there is then missed for good."""
WEIGHTS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
"""Weights of the memory's map that are tried."""
FAMILIES = tuple(sorted(name for name in synthetic.HELD_OUT["defect"] if name != "turned_part"))
"""Kinds of defects that no model of this project was trained on, so that none has an advantage here."""


@dataclass(frozen=True)
class Case:
    """One image of a trial: which good image it is of, and where a defect was drawn.

    Attributes:
        owner: number of the good image; its own patches are not in the memory it is compared with.
        units: ``(L, N, D)``.
        own: the network's own map ``(G, G)``, or None.
        truth: share of each patch that is defect, ``(N,)`` in [0, 1].
    """

    owner: int
    units: FloatArray = field(repr=False)
    truth: FloatArray = field(repr=False)
    own: FloatArray | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Trial:
    """Good images and spoilt copies of them.

    Attributes:
        good: unit vectors ``(n, V, L, N, D)`` of the views of n good images.
        cases: what is compared with them, those of one owner side by side.
        alone: whether there is one good image, which is compared with a shifted copy of itself.
    """

    good: FloatArray = field(repr=False)
    cases: tuple[Case, ...] = field(repr=False)
    alone: bool = False

    def distances(self, turned: bool) -> list[FloatArray]:
        """Return the patch distances ``(N,)`` of each case to the other good images, background and all."""
        found: list[FloatArray] = []
        for owner, cases in groupby(self.cases, key=lambda case: case.owner):
            memory = self._others(owner, turned)
            found += [distances(case.units, memory) for case in cases]
        return found

    def _others(self, owner: int, turned: bool) -> Memory:
        others = self.good if self.alone else np.delete(self.good, owner, axis=0)
        part = others if turned else others[:, :1]  # (n - 1, V, L, N, D)
        return Memory(tuple(part.transpose(2, 0, 1, 3, 4).reshape(part.shape[2], -1, part.shape[4])))  # (L, M, D)

    def within(self, values: Sequence[FloatArray], foreground: Foreground | None) -> list[FloatArray]:
        """Return patch distances ``(N,)`` of each case, with 0 off the foreground."""
        if foreground is None:
            return list(values)
        return [found * foreground.mask(case.units[-1]) for found, case in zip(values, self.cases, strict=True)]

    def precision(self, values: Sequence[FloatArray]) -> float:
        """Return the average precision of values ``(N,)`` of each case at finding patches that are mostly defect."""
        truth = np.concatenate([case.truth for case in self.cases])
        clear = (truth == 0) | (truth >= 0.5)  # a patch that is a little defective is neither
        ranked = rank_labels((truth[clear] > 0).astype(np.uint8), np.concatenate(values)[clear].astype(np.float64))
        return float(ap(ranked).value)


def make_trial(
    detector: Detector,
    images: Sequence[Image.Image],
    seed: int,
    *,
    foreground: Foreground | None,
    turned: bool,
    own: bool,
) -> Trial:
    """Draw defects on good images and read all of them.

    Args:
        detector: any that gives features.
        images: good images.
        seed: of the defects.
        foreground: where there is a part, defects are drawn on it.
        turned: whether the eight views are read, too.
        own: whether the network's own maps are read, too.
    """
    S, G = detector.card.input.image_size, detector.card.grid
    small = [_small(image, 2 * S) for image in images]
    good = np.stack([unit_features(detector, views(image, 8 if turned else 1)) for image in small])
    alone = len(small) == 1
    cases: list[Case] = []
    for owner, image in enumerate(small):
        base = shifted(image, 3.5 / G) if alone else image
        units = unit_features(detector, [base])[0]
        cases.append(Case(owner, units, np.zeros(G * G, np.float32), _own(detector, base) if own else None))
        part = None if foreground is None else _full(foreground.mask(units[-1]), base.size)
        for copy in range(DEFECTS):
            spoilt = _spoilt(base, part, [seed, 5, owner, copy])
            if spoilt is not None:
                picture, mask = spoilt
                units_of = unit_features(detector, [picture])[0]
                cases.append(Case(owner, units_of, _shares(mask, G), _own(detector, picture) if own else None))
    return Trial(good, tuple(cases), alone)


def fix_fusion(trial: Trial, detector: Detector, scale: float, far: Sequence[FloatArray]) -> Fusion:
    """Fix the rule that combines memory and zero-shot: the weight with the highest average precision in a trial.

    Args:
        trial: good images and spoilt copies of them, with the network's own maps.
        detector: of these features.
        scale: of the memory.
        far: patch distances ``(N,)`` of each case, as a memory of the chosen options has them.
    """
    G = detector.card.grid
    good_maps = [case.own for case in trial.cases if case.own is not None and not case.truth.any()]
    centre = float(np.median(np.stack(good_maps)))
    top = max(float(highest(one[None])[0]) for one in good_maps)
    rule = Fusion(1.0, min(1.0, max(top, centre + 0.02)), min(centre, 0.98))
    scorer = MemoryScorer(Memory((np.eye(1, detector.card.reading.embed_dim, dtype=np.float32),)
                                 * trial.good.shape[2], scale), detector.card)  # fmt: skip
    memory_maps = [pooled(scorer.map_of(d), G) for d in far]
    best = (-1.0, rule)
    for weight in WEIGHTS:
        tried = replace(rule, weight=weight)
        fused = [
            tried.map(m, pooled(case.own, G)).ravel()
            for m, case in zip(memory_maps, trial.cases, strict=True)
            if case.own is not None
        ]
        found = trial.precision(fused)
        if found > best[0] + 1e-9:
            best = (found, tried)
    return best[1]


def pooled(values: FloatArray, grid: int) -> FloatArray:
    """Average a map ``(s, s)`` over the patches of a grid: ``(G, G)``; s is a multiple of G, or the map is resized."""
    side = values.shape[0]
    if side % grid:
        values = np.asarray(Image.fromarray(values).resize((grid, grid), Image.Resampling.BOX), np.float32)
        side = grid
    step = side // grid
    return np.asarray(values.reshape(grid, step, grid, step).mean(axis=(1, 3)), dtype=np.float32)


def _own(detector: Detector, image: Image.Image) -> FloatArray:
    return detector.raw(image)[0]


def _small(image: Image.Image, side: int) -> Image.Image:
    small = image.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.BICUBIC)  # defects are drawn for such a size
    return small


def _spoilt(
    image: Image.Image, part: npt.NDArray[np.uint8] | None, seed: list[int]
) -> tuple[Image.Image, npt.NDArray[np.uint8]] | None:
    """Draw one defect; None where an image is too small for one, or nothing becomes visible."""
    if min(image.size) < 16:
        return None
    rng = np.random.default_rng(seed)
    family = FAMILIES[int(rng.integers(len(FAMILIES)))]
    changed, mask, _ = synthetic.add_defect(rng, np.asarray(image), part, family)
    return (Image.fromarray(changed), mask) if mask.any() else None


def _full(mask: FloatArray, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    G = round(len(mask) ** 0.5)
    grid = Image.fromarray((mask.reshape(G, G) * 255).astype(np.uint8))
    return (np.asarray(grid.resize(size, Image.Resampling.BILINEAR)) > 127).astype(np.uint8)


def _shares(mask: npt.NDArray[np.uint8], grid: int) -> FloatArray:
    small = Image.fromarray(mask.astype(np.float32)).resize((grid, grid), Image.Resampling.BOX)
    return np.asarray(small, np.float32).reshape(-1)
