"""Good images in, a bundle out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from zsad import __version__
from zsad.card import ModelCard
from zsad.detector.base import Detector
from zsad.detector.bundle import Base, Bundle, BundleCard, FusionRule, Good
from zsad.errors import InputError
from zsad.fitting import trial as trials
from zsad.fitting.good import Shots
from zsad.fitting.outliers import Samples, unlike
from zsad.fitting.reading import Collector, Seen, read_good
from zsad.fitting.settle import Options, Plan, is_unscored, settle, some_images
from zsad.fitting.views import shifted
from zsad.outside import printable
from zsad.scoring import Memory, MemoryScorer
from zsad.scoring.coreset import coreset
from zsad.scoring.foreground import Foreground
from zsad.scoring.memory import distances, half, highest
from zsad.stream import Item
from zsad.types import FloatArray

NAMED = 12
"""Images that a note names, at most: those that are furthest from the others."""
SMALLEST = 0.005
"""Smallest scale: copies of one image are at distance 0 from each other."""


@dataclass
class Learned:
    """What has been read of the good images so far."""

    good: list[Good] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    twins: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)


def learn(
    detector: Detector,
    items: Sequence[Item],
    options: Options,
    base: Base,
    *,
    shots: Shots = "all",
    step: Callable[[], None] = lambda: None,
) -> tuple[Bundle, list[str]]:
    """Make a bundle of good images.

    Args:
        detector: any that gives features, with the scorer that its fused score is to use.
        items: the good images, chosen.
        options: how.
        base: what the bundle is to say of its model.
        shots: what was asked for, for the card.
        step: called after each image that was read, or, of many, compared with the others.

    Returns:
        The bundle, and one line for each image that could not be used.

    Raises:
        InputError: no image could be used.
        ModelError: the detector gives no features.
    """
    plan = settle(detector, items, options)
    collector = Collector(len(items), plan.views, options.seed)
    learned, samples = Learned(), Samples(len(items), options.seed)
    for seen in read_good(detector, items, plan.views):
        if take(learned, seen, collector):
            samples.take(len(learned.good) - 1, seen)
        step()
    if not learned.good:
        raise InputError(f"no good image could be used; {learned.failed[0]}")
    layers, rows, radius = kept(collector.layers(), collector.owners(), options)
    foreground = plan.foreground
    scorer = MemoryScorer(Memory(tuple(layers), 1.0, foreground), detector.card)
    samples.measure(scorer, rows)
    far = samples.far if len(learned.good) > 1 else {0: _alone(detector, items, scorer)}
    suspects = unlike(far)
    scale = scale_of(far, suspects)
    compared = samples.compare(detector, scorer, rows, step) if len(learned.good) > 1 else far
    notes = [*notes_of(learned, suspects | unlike(compared), compared), *samples.told(), *_beside(foreground)]
    good = tuple(replace(one, distance=far.get(i)) for i, one in enumerate(learned.good))
    rule = _rule(plan, scale)
    card = BundleCard(
        base, good, str(shots), options.seed, plan.views, foreground is not None, options.patches, scale,
        0.0 if foreground is None else foreground.threshold, tuple(radius), plan.why, rule,
        tuple(notes), __version__,
    )  # fmt: skip
    model = replace(detector.card, scoring=ModelCard().scoring) if is_unscored(detector) else detector.card
    owners = tuple(row.astype(np.int32) for row in rows)
    images, pixels = tuple(one.sha256 for one in good), tuple(one.pixels for one in good)
    return Bundle(card, Memory(tuple(layers), scale, foreground, images, owners, pixels), model), learned.failed


def scale_of(far: dict[int, float], suspects: set[int]) -> float:
    """Return the largest distance of good images that are not suspected, at least :data:`SMALLEST`."""
    return max([SMALLEST, *(value for index, value in far.items() if index not in suspects)])


def take(learned: Learned, seen: Seen, collector: Collector) -> bool:
    """Take note of one good image and its patches, or of why it can't be used; returns whether it is."""
    number = len(learned.good)
    if seen.error:
        learned.failed.append(seen.error)
        return False
    if seen.sha256 in learned.names:
        first = printable(learned.names[seen.sha256])
        learned.twins.append(f"{seen.item.place} is the same picture as {first}, and was used once")
        return False
    learned.names[seen.sha256] = seen.item.id
    learned.good.append(Good(seen.item.id, seen.sha256, pixels=seen.pixels))
    learned.sizes.append(seen.size)
    collector.add(number, seen.units)
    return True


def kept(
    layers: Sequence[FloatArray], owners: npt.NDArray[np.int64], options: Options
) -> tuple[list[FloatArray], list[npt.NDArray[np.int64]], list[float]]:
    """Keep a coreset of each layer where there are more patches than are wanted."""
    kept, rows, radius = [], [], []
    for number, layer in enumerate(layers):
        found = coreset(layer, options.patches, options.seed + number)
        kept.append(half(layer[found.indices]))
        rows.append(owners[found.indices])
        radius.append(round(found.radius, 6))
    return kept, rows, radius


def _alone(detector: Detector, items: Sequence[Item], scorer: MemoryScorer) -> float:
    """Return how far shifted copies of the only image are from it."""
    image = some_images(detector, items, 0)[0]
    copies = [shifted(image, step / detector.card.grid) for step in (0.5, 1.5, 3.5)]
    each = [scorer.smoothed(distances(patches, scorer.memory)) for patches in detector.features(copies).patches]
    return float(highest(np.stack(each)).max())


def _rule(plan: Plan, scale: float) -> FusionRule | None:
    if plan.fusion is None:
        return None
    fixed = plan.fusion(scale)
    return FusionRule(
        fixed.weight, fixed.scale, fixed.centre, f"drawn defects on the good images, {trials.DEFECTS} on each"
    )


def notes_of(learned: Learned, suspects: Iterable[int], far: dict[int, float]) -> list[str]:
    """Say what a user should know of the images, one line each."""
    notes = list(learned.twins)
    furthest = sorted(suspects, key=lambda i: (-far[i], i))
    names = [f"{printable(learned.good[i].name)} ({far[i]:.3f})" for i in furthest[:NAMED]]
    if names:
        names += [f"{len(furthest) - NAMED:,} more"] if len(furthest) > NAMED else []
        usual = float(np.median([value for index, value in far.items() if index not in set(suspects)]))
        notes.append(f"unlike the other good images (distance {usual:.3f}): {', '.join(names)}; look at them, "
                     "a defect among good images is learned as good")  # fmt: skip
    if len(learned.good) == 1:
        notes.append("one good image: what varies between parts is not known, and scores as a defect; give more")
    ratios = [width / height for height, width in learned.sizes]
    if max(ratios) > 1.05 * min(ratios):
        smallest, largest = min(learned.sizes, key=_ratio), max(learned.sizes, key=_ratio)
        notes.append(f"mixed shapes, from {smallest[1]} x {smallest[0]} to {largest[1]} x {largest[0]} px: each is "
                     "squeezed to one square, so that the same part looks different; cut them alike")  # fmt: skip
    return notes


def _beside(foreground: Foreground | None) -> list[str]:
    """Say what leaving the background out costs."""
    if foreground is None:
        return []
    return ["foreground on: what lies off the part is left out of account, a foreign body beside it, too; fit with "
            "--foreground off to look everywhere"]  # fmt: skip


def _ratio(size: tuple[int, int]) -> float:
    return size[1] / size[0]
