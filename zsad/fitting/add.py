"""More good images for a bundle that is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from zsad.detector.base import Detector
from zsad.detector.bundle import Bundle, is_bundle, read_bundle
from zsad.detector.loading import load
from zsad.errors import InputError, UsageError
from zsad.fitting.learn import Learned, kept, notes_of, scale_of, take
from zsad.fitting.outliers import unlike
from zsad.fitting.reading import Collector, read_good
from zsad.fitting.settle import Options
from zsad.outside import printable
from zsad.scoring import Memory, MemoryScorer
from zsad.scoring.memory import distances, highest
from zsad.stream import Item


def added(
    bundle: Bundle, detector: Detector, items: Sequence[Item], *, step: Callable[[], None] = lambda: None
) -> tuple[Bundle, list[str]]:
    """Add good images to a bundle, with the options that it was fitted with.

    Images that it knows already are left out by their content. Their distances are to the memory as it was; the rule
    of the fused score stays.

    Args:
        bundle: what is there.
        detector: of the bundle's backbone.
        items: the images to add.
        step: called after each image.

    Returns:
        The larger bundle, and one line for each image that could not be used.

    Raises:
        InputError: nothing new among the images.
    """
    card, before = bundle.card, bundle.memory
    options = Options(card.seed, 8 if card.rotations == 8 else "none", "on" if card.foreground else "off", card.patches)
    learned = Learned(good=list(card.images), names={one.sha256: one.name for one in card.images})
    # A seed of its own for each addition, so that the same positions are not drawn again.
    collector = Collector(len(items), card.rotations, card.seed + len(card.images))
    scorer = MemoryScorer(before, bundle.model)
    far: dict[int, float] = {}
    for seen in read_good(detector, items, card.rotations):
        number = len(learned.good)
        if take(learned, seen, collector):
            smooth = scorer.smoothed(distances(seen.units[0].astype(np.float32), before))
            far[number] = float(highest(smooth[None])[0])
        step()
    if len(learned.good) == len(card.images):
        raise InputError(f"no new image could be added; {(learned.failed + learned.twins)[0]}")
    union = [np.concatenate(pair) for pair in zip(before.layers, collector.layers(), strict=True)]
    layers, rows, radius = kept(union, np.arange(max(map(len, union))), options)
    known = {i: one.distance for i, one in enumerate(card.images) if one.distance is not None} | far
    good = tuple(replace(one, distance=far.get(i, one.distance)) for i, one in enumerate(learned.good))
    suspects = unlike(known) & set(far)
    scale = max(before.scale, scale_of(far, suspects)) if len(card.images) > 1 else scale_of(far, suspects)
    notes = (*card.notes, *notes_of(learned, suspects, known))
    new = replace(card, images=good, scale=scale, radius=tuple(radius), notes=tuple(dict.fromkeys(notes)))
    new_owners = collector.owners().astype(np.int32)
    owners = tuple(np.concatenate([old, new_owners])[row] for old, row in zip(before.owners, rows, strict=False))
    images, pixels = tuple(one.sha256 for one in good), tuple(one.pixels for one in good)
    memory = Memory(tuple(layers), scale, before.foreground, images, owners, pixels)
    return replace(bundle, card=new, memory=memory), learned.failed


def load_and_add(
    folder: str | Path, items: Sequence[Item], *, step: Callable[[], None] = lambda: None, **loading: Any
) -> tuple[Bundle, Detector, list[str]]:
    """Add good images to the bundle in a folder, and write it back; errors as :func:`added` and :func:`zsad.load`."""
    if not is_bundle(folder):
        raise UsageError(f"{printable(folder)}: no bundle there to add to; leave --add out to make one")
    bundle, detector = read_bundle(folder), load(folder, **loading)
    larger, failed = added(bundle, detector, items, step=step)
    larger.save(folder)
    return larger, larger.on(detector), failed
