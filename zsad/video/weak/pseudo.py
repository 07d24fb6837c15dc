"""Pseudo-anomalies: a clip of an anomaly set into a normal video, with labels of its snippets.

Source: OVVAD (CVPR 2024), section 3.6: the sequence gets longer by the clip. Its snippets are learned as anomalous,
without a class: what is pasted need not be of one that is listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from zsad.errors import DatasetError
from zsad.images.files import SUFFIXES as PICTURES
from zsad.images.files import named_errors, opened
from zsad.outside import printable
from zsad.types import FloatArray
from zsad.video.features import MOTION
from zsad.video.learned.card import VideoCard
from zsad.video.learned.reading import Reading
from zsad.video.learned.stored import read_array
from zsad.video.motion_frames import no_motion
from zsad.video.sampling import fitted
from zsad.video.source import SUFFIXES as VIDEOS
from zsad.video.source import open_video
from zsad.video.weak.data import Sample, digest_of
from zsad.video.weak.model import WeakModel

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Pastes:
    """What is pasted.

    Attributes:
        clips: features of anomalies, each ``(L, ...)``.
        share: of the normal videos of a step, which get one each; at least one does.
    """

    clips: tuple[FloatArray, ...] = ()
    share: float = 0.5

    def told(self) -> list[float]:
        """Return what tells them from others: the digest of each clip, then the share."""
        return [*map(digest_of, self.clips), self.share]


def inserted(sequence: Floats, clip: Floats, place: int) -> tuple[Floats, NDArray[np.float32]]:
    """Set a clip into a sequence of features, or of frames.

    Args:
        sequence: ``(T, ...)``, all normal.
        clip: ``(L, ...)``, all anomalous.
        place: what stands before it, 0 to T.

    Returns:
        ``(T + L, ...)``, and 1 where the clip is, ``(T + L,)``.
    """
    labels = np.zeros(len(sequence) + len(clip), np.float32)
    labels[place : place + len(clip)] = 1
    return np.concatenate([sequence[:place], clip, sequence[place:]]), labels


def snippets(logits: Tensor, labels: Tensor, valid: Tensor) -> Tensor:
    """Return the cross entropy of labelled snippets ``(B, T)``: its mean over a video, then over videos."""
    each = F.binary_cross_entropy_with_logits(logits, labels, reduction="none") * valid
    return (each.sum(dim=1) / valid.sum(dim=1)).mean()


def read_pastes(folder: Path, card: VideoCard, share: float) -> Pastes:
    """Read what is to be pasted: arrays of features, or pictures and videos, whose features are taken now.

    Raises:
        DatasetError: the folder has none of these.
        InputError: features that the model does not read, or a picture or video that can't be read.
        ModelError: pictures, and nobody knows the backbone.
    """
    files = sorted(folder.glob("*"))
    found = [
        read_array(path, card) for path in files if path.suffix == ".npy" and not path.stem.endswith(f"__{MOTION}")
    ]
    others = [path for path in files if path.suffix.lower() in PICTURES | VIDEOS]
    reading = Reading(card, "model") if others else None
    for path in others:
        assert reading is not None
        if path.suffix.lower() in PICTURES:
            with named_errors(printable(path)), opened(path) as picture:
                views = [picture.convert("RGB")] + [no_motion()] * reading.choice.motion
                found.append(reading.row(views)[None])
        else:
            with open_video(path) as video:
                found.append(reading.whole(video, lambda done, total: None)[0])
    if not found:
        raise DatasetError(
            f"{printable(folder)}: no .npy of features, picture or video to paste; give a folder of some"
        )
    return Pastes(tuple(found), share)


def pasted(
    model: WeakModel, samples: Sequence[Sample], pastes: Pastes, card: VideoCard, rng: np.random.Generator
) -> Tensor:
    """Return the loss of a share of the normal videos with a clip pasted into each: their snippets are known.

    Args:
        model: in training mode.
        samples: of a step; anomalous ones are passed over.
        pastes: what is pasted.
        card: the model's.
        rng: draws videos, clips and places.
    """
    normal = [sample for sample in samples if not sample.classes]
    chosen = rng.permutation(len(normal))[: max(1, round(pastes.share * len(normal)))]
    length, parts, known = card.config.temporal.length, [], []
    for at in chosen:
        features = read_array(normal[at].path, card)
        clip = pastes.clips[int(rng.integers(len(pastes.clips)))]
        both, where = inserted(features, clip, int(rng.integers(len(features) + 1)))
        parts.append(fitted(both, length))
        known.append(fitted(where, length)[0] > 0)  # a mean of snippets is anomalous if one of them is
    most = max(count for _, count in parts)
    x = torch.from_numpy(np.stack([part[:most] for part, _ in parts]))
    labels = torch.from_numpy(np.stack(known)[:, :most].astype(np.float32))
    valid = torch.arange(most) < torch.tensor([count for _, count in parts])[:, None]
    scored = model(x, valid)
    if card.config.temporal.kind == "queries":  # a clip is anomalous if one of its rows is
        step = card.config.temporal.clip
        cut = [F.pad(values.float(), (0, -most % step)).view(len(x), -1, step) for values in (labels, valid)]
        labels, valid = cut[0].amax(dim=2), cut[1].amax(dim=2) > 0
    return snippets(scored.logits, labels, valid)
