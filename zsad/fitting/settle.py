"""What is settled before the good images are learned: turned views, foreground, and how a fused score is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from zsad.detector.base import Detector
from zsad.detector.onnx_detector import OnnxDetector
from zsad.errors import InputError, UsageError, ZsadError
from zsad.fitting import trial as trials
from zsad.fitting.trial import BLIND_GAIN, GAIN, IMAGES, fix_fusion, make_trial
from zsad.scoring import Fusion
from zsad.scoring.foreground import Foreground, find_foreground
from zsad.scoring.memory import unit
from zsad.scoring.scorer import Unscored
from zsad.stream import Item

Rotations = Literal["auto", "none", 8]


@dataclass(frozen=True)
class Options:
    """How a memory is made of good images.

    Attributes:
        seed: of every draw.
        rotations: 8 turned views of each image, none, or what the trial on the good images says.
        foreground: whether the background is left out of account: ``"on"``, ``"off"``, or what the trial says.
        patches: most patches of a layer; of more, a coreset is kept.
    """

    seed: int = 0
    rotations: Rotations = "auto"
    foreground: Literal["auto", "on", "off"] = "auto"
    patches: int = 10_000

    def __post_init__(self) -> None:
        if self.rotations not in ("auto", "none", 8):
            raise UsageError(f"rotations {self.rotations!r}: give 8, none or auto")
        if self.foreground not in ("auto", "on", "off"):
            raise UsageError(f"foreground {self.foreground!r}: give on, off or auto")
        if self.patches < 1 or self.seed < 0:
            raise UsageError("patches must be at least 1 and the seed at least 0")


@dataclass(frozen=True)
class Plan:
    """What a trial on the good images has settled.

    Attributes:
        views: of each image, 1 or 8.
        foreground: what tells the part from its background, or None.
        why: how both were chosen, in words.
        fusion: makes the rule of the fused score once the scale is known; None where the network has no own score.
    """

    views: int
    foreground: Foreground | None
    why: str
    fusion: Callable[[float], Fusion] | None


def settle(detector: Detector, items: Sequence[Item], options: Options) -> Plan:
    """Try turned views and the foreground on some good images, where options say ``auto``; see ``trial``."""
    images = some_images(detector, items, options.seed)
    own = not is_unscored(detector)
    alone = len(images) == 1
    turned = options.rotations == 8 or (options.rotations == "auto" and not alone)
    units = unit(detector.features(images).patches)[:, -1] if images else np.zeros((0, 0, 0), np.float32)
    part = find_foreground(units) if images and options.foreground != "off" else None
    if options.foreground == "on" and part is None:
        raise InputError("no part stands out from its background on these images; leave --foreground on out")
    if not images:  # each failure is told when all are read
        return Plan(1 if options.rotations == "auto" else _views(options), None, "", None)
    trial = make_trial(detector, images, options.seed, foreground=part, turned=turned, own=own)
    choices = [
        (views, fore)
        for views in ([1, 8] if options.rotations == "auto" and turned else [8 if turned else 1])
        for fore in ([part] if options.foreground == "on" or part is None else [None, part])
    ]
    far = {views: trial.distances(views == 8) for views, _ in choices}  # the costly part, once for both foregrounds
    found = [trial.precision(trial.within(far[views], fore)) for views, fore in choices]
    best = best_of(found, [fore is not None for _, fore in choices])
    views, fore = choices[best]
    said = [
        f"{v} views, foreground {'off' if f is None else 'on'}: {p:.3f}"
        for (v, f), p in zip(choices, found, strict=True)
    ]
    why = (
        f"average precision on {len(images)} good images with {trials.DEFECTS} drawn defects each: {'; '.join(said)}; "
        f"asked of turned views is a gain of {GAIN:g}, of the foreground {BLIND_GAIN:g}"
        if np.isfinite(found).all()
        else "no drawn defect is visible on these images"
    )
    fusion = (lambda scale: fix_fusion(trial, detector, scale, trial.within(far[views], fore))) if own else None
    return Plan(views, fore, why, fusion)


def best_of(found: Sequence[float], masked: Sequence[bool]) -> int:
    """Return which choice of a trial is taken: a later one only if it is plainly better.

    Args:
        found: average precision of each choice, the simplest first; NaN where no defect is visible.
        masked: whether a choice leaves the background out, which must gain more (``BLIND_GAIN``).

    >>> best_of([0.60, 0.64, 0.65, 0.70], [False, True, False, True])  # 8 views gain 0.05, the foreground 0.05 more
    2
    """
    best, *others = sorted(range(len(found)), key=lambda index: masked[index])  # whole images first
    for index in others:
        asked = BLIND_GAIN if masked[index] and not masked[best] else GAIN
        if found[index] > found[best] + asked:
            best = index
    return best


def some_images(detector: Detector, items: Sequence[Item], seed: int) -> list[Image.Image]:
    """Decode a few images for a trial, drawn by seed; those that can't be used are told later."""
    found: list[Image.Image] = []
    for index in np.random.default_rng([seed, 7]).permutation(len(items)).tolist():
        try:
            found.append(detector.decode(items[index].open()).image)
        except ZsadError:
            continue
        if len(found) == IMAGES:
            break
    return found


def _views(options: Options) -> int:
    return 8 if options.rotations == 8 else 1


def is_unscored(detector: Detector) -> bool:
    """Whether a network gives features alone, and nothing scores them."""
    if detector.scorer is not None:
        return isinstance(detector.scorer, Unscored)
    return isinstance(detector, OnnxDetector) and not detector.scores
