"""Training videos: checked before anything is learned, and put together as pairs of normal and anomalous batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

from zsad.errors import DatasetError
from zsad.outside import printable
from zsad.types import FloatArray
from zsad.video.learned.card import VideoCard
from zsad.video.learned.lists import Listed, class_of
from zsad.video.learned.stored import features_of, read_array, without_crop
from zsad.video.sampling import bin_means, fitted
from zsad.video.weak.presets import NAMED


@dataclass(frozen=True)
class Sample:
    """One array of features of a video.

    Attributes:
        path: the array.
        name: the video's name, without its crop.
        classes: numbers of the classes that occur; empty where it is normal.
        rows: of the array.
        digest: CRC-32 of its numbers.
    """

    path: Path
    name: str
    classes: tuple[int, ...]
    rows: int = 0
    digest: int = 0


@dataclass
class Batch:
    """Normal videos, then as many anomalous ones.

    Attributes:
        x: ``(B, T, ...)``.
        valid: bool ``(B, T)``.
        samples: of each row.
        rows: rows of features that each had before it was brought to T.
    """

    x: Tensor
    valid: Tensor
    samples: list[Sample]
    rows: list[int]

    @property
    def anomalous(self) -> Tensor:
        """Which videos are anomalous, bool ``(B,)``."""
        return torch.tensor([bool(sample.classes) for sample in self.samples])

    def multi_hot(self, count: int) -> Tensor:
        """Return ``(B, count)``, 1 for every class that occurs; class 0 for normal videos."""
        found = torch.zeros(len(self.samples), count)
        for row, sample in enumerate(self.samples):
            found[row, list(sample.classes) or [0]] = 1
        return found

    @property
    def first_class(self) -> Tensor:
        """The class of each video, int64 ``(B,)``; -1 for normal ones."""
        return torch.tensor([sample.classes[0] if sample.classes else -1 for sample in self.samples])


def samples_of(listed: Sequence[Listed], folder: Path, card: VideoCard) -> list[Sample]:
    """Return what a list trains on, every array checked.

    Raises:
        DatasetError: a video without features, or a label that is none of the classes.
        InputError: features that the model does not read.
    """
    found = []
    for one in listed:
        named = bool(card.classes) and card.config.head.kind in NAMED
        classes = tuple(class_of(label, card.classes, printable(one.name)) for label in one.labels) if named else (1,)
        for path in features_of(one.name, folder):
            features = read_array(path, card)
            happens = classes if one.labels else ()
            found.append(Sample(path, without_crop(path.stem), happens, len(features), digest_of(features)))
    return found


def digest_of(features: FloatArray) -> int:
    """Return the CRC-32 of an array's form and numbers, by which two runs are told apart."""
    return crc32(np.ascontiguousarray(features).data, crc32(repr(features.shape).encode()))


def split(listed: Sequence[Listed], share: float, seed: int) -> tuple[list[Listed], list[Listed]]:
    """Hold out a share of the normal and of the anomalous videos, at least one of each where there are two.

    All crops of a video go to the same side.
    """
    names: dict[str, bool] = {}
    for one in listed:
        names[without_crop(one.name)] = bool(one.labels)
    rng, held = np.random.default_rng(seed), set()
    for kind in (False, True):
        some = sorted(name for name, anomalous in names.items() if anomalous == kind)
        count = min(max(1, round(share * len(some))), len(some) - 1) if share > 0 else 0
        held |= {some[i] for i in rng.permutation(len(some))[: max(0, count)]}
    kept = [one for one in listed if without_crop(one.name) not in held]
    return kept, [one for one in listed if without_crop(one.name) in held]


def batch_of(samples: Sequence[Sample], card: VideoCard) -> Batch:
    """Read samples and bring them to one length."""
    config, rows, parts, counts = card.config, [], [], []
    for sample in samples:
        features = read_array(sample.path, card)
        rows.append(len(features))
        if config.recipe.segments:
            parts.append(bin_means(features, config.recipe.segments))
            counts.append(config.recipe.segments)
        else:
            part, count = fitted(features, config.temporal.length)
            parts.append(part)
            counts.append(count)
    most = max(counts)
    x = torch.from_numpy(np.stack([part[:most] for part in parts]))
    return Batch(x, torch.arange(most) < torch.tensor(counts)[:, None], list(samples), rows)


def epoch_steps(samples: Sequence[Sample], size: int) -> int:
    """Return how many batches :func:`pairs` yields."""
    normal = sum(not sample.classes for sample in samples)
    shorter = min(normal, len(samples) - normal)
    return shorter // min(size, shorter) if shorter else 0


def pairs(samples: Sequence[Sample], size: int, seed: tuple[int, int]) -> Iterator[list[Sample]]:
    """Yield an epoch's batches: ``size`` normal samples, then as many anomalous ones, in an order of the seed's.

    The epoch ends with the shorter list; a list shorter than a batch makes one of its own length.

    Raises:
        DatasetError: only normal, or only anomalous videos.
    """
    normal = [sample for sample in samples if not sample.classes]
    anomalous = [sample for sample in samples if sample.classes]
    if not normal or not anomalous:
        kind = "an anomalous" if normal else "a normal"
        raise DatasetError(f"the training list has not one video that is {kind[2:].strip()}; list {kind} one too")
    rng = np.random.default_rng(seed)
    orders = [[some[i] for i in rng.permutation(len(some))] for some in (normal, anomalous)]
    size = min(size, len(normal), len(anomalous))
    for at in range(0, min(len(normal), len(anomalous)) - size + 1, size):
        yield orders[0][at : at + size] + orders[1][at : at + size]
