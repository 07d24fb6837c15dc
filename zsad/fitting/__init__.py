"""Good parts at hand: a memory of normal patches from a few good images, as a bundle that every command takes.

``good`` says which images, ``reading`` reads them, ``settle`` settles options by a ``trial`` on the good images alone,
``learn`` puts the bundle together, ``outliers`` names images that are unlike the others, ``add`` makes it larger.
Nothing here looks at a test image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from zsad.detector.base import Detector
from zsad.detector.bundle import Base, Bundle, check_place
from zsad.detector.loading import BUNDLED, load_base
from zsad.fitting.add import load_and_add
from zsad.fitting.good import Say, Shots, choose, find_good
from zsad.fitting.learn import learn
from zsad.fitting.settle import Options
from zsad.stream import Item, from_iterable
from zsad.types import ImageLike

__all__ = ["Fitted", "Options", "Shots", "add_to", "find_good", "fit", "fit_detector"]

_WORDS = ("prompt", "object", "normal", "anomalous")


@dataclass(frozen=True)
class Fitted:
    """What good images gave.

    Attributes:
        bundle: memory and card; ``bundle.save(folder)`` writes it.
        detector: the backbone, scoring by the memory.
        failed: one line for each image that could not be used.
        found: good images that there were to choose from.
    """

    bundle: Bundle
    detector: Detector
    failed: tuple[str, ...]
    found: int

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know, one line each: images unlike the others, mixed shapes, one image only."""
        return self.bundle.card.notes


def fit(
    good: str | Path | Iterable[ImageLike] | Sequence[Item],
    model: str | Path | None = None,
    *,
    out: str | Path | None = None,
    shots: Shots = "all",
    seed: int = 0,
    rotations: Literal["auto", "none", 8] = "auto",
    foreground: Literal["auto", "on", "off"] = "auto",
    patches: int = 10_000,
    recursive: bool = False,
    say: Say = lambda line: None,
    step: Callable[[], None] = lambda: None,
    **loading: Any,
) -> Fitted:
    """Learn what is normal from images of good parts.

    Args:
        good: a folder, a file, or several; or images as :func:`zsad.load`'s detectors take them.
        model: the backbone, as in :func:`zsad.load`; the bundled model by default. It must give features.
        out: folder for the bundle; None writes nothing.
        shots: how many of the images are used, drawn by seed.
        seed: of every draw.
        rotations: 8 turned views of each image, none, or what a trial on the good images alone says.
        foreground: whether the background is left out of account, or what the trial says.
        patches: most patches of a feature layer that are kept; of more, a coreset.
        recursive: look into sub-folders.
        say: told in one line each what was not read, such as masks among the images.
        step: called after each image that was read, or, of many, compared with the others.
        loading: ``prompt``, ``object``, ``normal``, ``anomalous``, ``device``, ``dtype``, ``image_size``, ``threads``
            and ``providers`` of :func:`zsad.load`. Words are what a fused score uses beside the memory.

    Returns:
        The bundle, and a detector that scores by it.

    Raises:
        InputError: no good image, masks among them, or none that can be used.
        UsageError: more shots than images, or a place with other files in it.
        ModelError: a model that can't be loaded, or gives no features.
    """
    options = Options(seed, rotations, foreground, patches)
    if out is not None:
        check_place(Path(out))
    chosen = choose(_items(good, recursive, say), shots, seed)
    detector = load_base(model, **loading)
    fitted = fit_detector(
        detector,
        chosen.items,
        options,
        base=_base(detector, model, loading),
        shots=shots,
        found=chosen.found,
        step=step,
    )
    if out is not None:
        fitted = replace(fitted, bundle=replace(fitted.bundle, place=fitted.bundle.save(out)))
    return fitted


def add_to(
    folder: str | Path,
    good: str | Path | Iterable[ImageLike] | Sequence[Item],
    *,
    step: Callable[[], None] = lambda: None,
    **loading: Any,
) -> Fitted:
    """Add good images to a bundle, and write it back.

    Args:
        folder: the bundle.
        good: images, as in :func:`fit`.
        step: called after each image.
        loading: options of :func:`zsad.load` for its backbone, such as ``device``.

    Raises:
        InputError: nothing new among the images.
        ModelError: no bundle, or its backbone is not there.
    """
    items = _items(good, False)
    bundle, detector, failed = load_and_add(folder, items, step=step, **loading)
    return Fitted(bundle, detector, tuple(failed), len(items))


def fit_detector(
    detector: Detector,
    items: Sequence[Item],
    options: Options | None = None,
    *,
    base: Base | None = None,
    shots: Shots = "all",
    found: int = 0,
    step: Callable[[], None] = lambda: None,
) -> Fitted:
    """Fit a detector that is at hand; arguments and errors as :func:`fit`, ``base`` is what the card says of it."""
    named = base or Base(detector.card.label, detector.fingerprint)
    bundle, failed = learn(detector, items, options or Options(), named, shots=shots, step=step)
    return Fitted(bundle, bundle.on(detector), tuple(failed), found or len(items))


def _items(
    good: str | Path | Iterable[ImageLike] | Sequence[Item], recursive: bool, say: Say = lambda line: None
) -> list[Item]:
    if isinstance(good, str | Path):
        return find_good([good], recursive=recursive, say=say)
    given = list(good)
    items = [one for one in given if isinstance(one, Item)]
    places = [one for one in given if isinstance(one, str | Path)]
    if len(items) == len(given):
        return items
    if len(places) == len(given):
        return find_good(places, recursive=recursive, say=say)
    return list(from_iterable(one for one in given if not isinstance(one, Item)))


def _base(detector: Detector, model: str | Path | None, loading: dict[str, Any]) -> Base:
    name = BUNDLED if model is None else str(model)
    words: dict[str, Any] = {key: None if loading.get(key) is None else str(loading[key]) for key in _WORDS}
    if Path(name).is_file():
        return Base(Path(name).name, detector.fingerprint, str(Path(name).resolve()), **words)
    return Base(name, detector.fingerprint, **words)
