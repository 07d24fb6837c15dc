"""Good images -> unit features, through the loop that everything shares; and what is kept of them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from PIL import Image

from zsad.detector.base import Detector
from zsad.fitting.good import check_content
from zsad.fitting.views import views
from zsad.images.preprocess import Decoded
from zsad.scoring.coreset import MOST
from zsad.scoring.memory import unit
from zsad.stream import Item, flow
from zsad.stream.good import content_hash, pixel_hash
from zsad.stream.memory import image_bytes
from zsad.types import FloatArray

HalfArray = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Seen:
    """One good image, or the reason why it can't be used.

    Attributes:
        item: which one.
        sha256: hash of its file, or of its pixels if it is no file.
        pixels: hash of its pixels.
        size: ``(height, width)`` in pixels.
        units: float16 unit vectors ``(V, L, N, D)`` of its V views.
        error: why there is nothing, as one line; or ``""``.
    """

    item: Item
    sha256: str = ""
    pixels: str = ""
    size: tuple[int, int] = (0, 0)
    units: HalfArray = field(default_factory=lambda: np.zeros((0, 0, 0, 0), np.float16), repr=False)
    error: str = ""


@dataclass(frozen=True)
class _Opened:
    decoded: Decoded
    sha256: str
    pixels: str


def read_good(detector: Detector, items: Sequence[Item], count: int) -> Generator[Seen, None, None]:
    """Read good images one after another, decoded ahead of the network, in bounded memory.

    Args:
        detector: any that gives features.
        items: the images.
        count: views of each, 1 or 8.

    Yields:
        One entry per item, in order.

    Raises:
        ModelError: the detector gives no features.
    """
    if items:
        _probe(detector)
    worker, lanes = detector.side_by_side() if len(items) > 1 else (detector, 1)

    def open_item(item: Item) -> _Opened:
        decoded = detector.decode(item.open())
        check_content(item, decoded)
        return _Opened(decoded, content_hash(item, decoded), pixel_hash(decoded))

    outcomes = flow(
        items,
        open_item,
        lambda some: [unit_features(worker, views(one.decoded.image, count)).astype(np.float16) for one in some],
        lanes=lanes,
        size=lambda one: image_bytes(one.decoded.image),
        need=lambda one: 2 * count * image_bytes(one.decoded.image),
    )
    with closing(outcomes):
        for outcome in outcomes:
            if outcome.value is None or outcome.decoded is None:
                yield Seen(outcome.item, error=_with_name(outcome.item, outcome.error))
            else:
                opened = outcome.decoded
                yield Seen(outcome.item, opened.sha256, opened.pixels, opened.decoded.size, outcome.value)


def unit_features(detector: Detector, images: Sequence[Image.Image | Decoded]) -> FloatArray:
    """Return float32 unit vectors ``(B, L, N, D)`` of images' patches, of those layers that a memory is of.

    Of three layers and more the first is left out: the shallowest tells lighting and grain from each other, not parts.
    """
    patches = detector.features(images).patches
    return unit(patches if patches.shape[1] < 3 else patches[:, 1:])


def _probe(detector: Detector) -> None:
    """Ask for features once, so that a model without any is told before a hundred images fail one by one."""
    S = detector.card.input.image_size
    detector.features([Image.fromarray(np.full((S, S), 127, np.uint8))])


def _with_name(item: Item, text: str) -> str:
    return text if item.place in text else f"{item.place}: {text}"


class Collector:
    """Keeps a seeded part of the patches of many images: at most about ``most`` of each layer.

    Args:
        images: how many are to come.
        views: of each.
        most: patches of a layer.
        seed: of the draw.
    """

    def __init__(self, images: int, views: int, seed: int, most: int = MOST) -> None:
        self._share, self._seed = max(1, most // max(1, images * views)), seed
        self._parts: list[HalfArray] = []
        self._owners: list[int] = []

    def add(self, owner: int, units: HalfArray) -> None:
        """Take patches of views ``(V, L, N, D)`` of one image; the same positions from every layer."""
        V, _, N, _ = units.shape
        share = min(N, self._share)
        for view in range(V):
            drawn = np.random.default_rng([self._seed, 4, owner, view]).permutation(N)[:share]
            self._parts.append(units[view][:, np.sort(drawn)])
            self._owners += [owner] * share

    def layers(self) -> list[FloatArray]:
        """Return what was kept of each layer, float32 ``(M, D)``."""
        whole = np.concatenate(self._parts, axis=1)  # (L, M, D)
        return [layer.astype(np.float32) for layer in whole]

    def owners(self) -> npt.NDArray[np.int64]:
        """Return the image that each row is from, ``(M,)``."""
        return np.asarray(self._owners, np.int64)
