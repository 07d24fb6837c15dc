"""Features of videos on disk, as ``zsad video extract`` leaves them: found by a listed name, read, told where from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from zsad.documents import Limits, read_json
from zsad.errors import DatasetError
from zsad.files import is_file
from zsad.outside import printable, shown
from zsad.types import FloatArray
from zsad.video.extraction import KIND
from zsad.video.features import MOTION
from zsad.video.learned.card import VideoCard
from zsad.video.learned.scoring import check_features
from zsad.video.source import SUFFIXES, video_name

ALIKE = ("backbone", "weights_hash", "stride", "tokens", "preprocess", "reading")
"""Keys of ``NAME.json`` in which all videos that a model reads must be the same."""
EVERY = 16
"""Frames from one row to the next where nobody says so."""
_CROP = re.compile(r"__\d$")
_LIMITS = Limits(size=64 << 20, entries=2_000_000, depth=6)


def without_crop(name: str) -> str:
    """Return a video's name out of that of an array: without the number of a crop at its end.

    >>> without_crop("v=x__#1_label_A__3"), without_crop("v=x__#1_label_A")
    ('v=x__#1_label_A', 'v=x__#1_label_A')
    """
    return _CROP.sub("", name)


def without_ending(name: str) -> str:
    """Return a name without the ending of a video or of an array; other dots stay."""
    ending = Path(name).suffix
    return name[: -len(ending)] if ending.lower() in SUFFIXES | {".npy"} else name


def forms_of(name: str) -> tuple[str, ...]:
    """Return what the files of a listed video may be called: as it stands there, and as ``extract`` calls them.

    >>> forms_of("v=x__#1_label_A.mp4")
    ('v=x__#1_label_A.mp4', 'v=x__#1_label_A', 'v=x___1_label_A')
    """
    plain = without_ending(name)
    return tuple(dict.fromkeys((name, plain, video_name(f"{plain}.mp4"))))


def features_of(name: str, folder: Path) -> list[Path]:
    """Return the arrays of a listed name, of a video or of one crop: ``NAME.npy``, or every ``NAME__C.npy``.

    Raises:
        DatasetError: there is none.
    """
    stem = without_crop(name)
    for form in forms_of(name):
        alone = folder / f"{form}.npy"
        if is_file(alone):
            return [alone]
        crops = [path for path in (folder / f"{form}__{crop}.npy" for crop in range(10)) if is_file(path)]
        if crops:
            return crops
    if stem != name:
        for form in forms_of(stem):
            path = folder / f"{form}{name[len(stem) :]}.npy"
            if is_file(path):
                return [path]
    raise DatasetError(
        f"{printable(name)}: listed, but {printable(folder)} has no {printable(name)}__0.npy; extract it"
    )


def opened(path: Path, *, mapped: bool = False) -> FloatArray:
    """Read an array of features as it is, or map it from its file.

    Raises:
        DatasetError: it is no array of numbers, or of no form that features have.
    """
    try:
        features = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise DatasetError(f"{printable(path)}: no array of features; extract it again") from None
    if not isinstance(features, np.ndarray) or features.dtype.kind != "f" or features.ndim not in (2, 3):
        raise DatasetError(f"{printable(path)}: no array of numbers (T, D) or (T, Q, D); extract it again")
    return features


def read_array(path: Path, card: VideoCard) -> FloatArray:
    """Read an array of features and check it; see :func:`~zsad.video.learned.scoring.check_features`.

    Returns:
        float32 ``(T, D)`` or ``(T, Q, D)``; behind them the motion features of ``NAME__motion.npy``, if the model
        reads some and the array is one of a crop.

    Raises:
        InputError: the model does not read it.
        DatasetError: it is no array.
    """
    features = opened(path)
    stem = without_crop(path.stem)
    if card.config.motion and stem != path.stem:
        features = with_motion(features, path.with_name(f"{stem}__{MOTION}.npy"))
    check_features(features, card, printable(path))
    return np.asarray(features, np.float32)


def with_motion(features: FloatArray, beside: Path) -> FloatArray:
    """Put the motion features of a video behind those of its frames.

    Raises:
        DatasetError: they are absent, or of another length.
    """
    try:
        motion = np.load(beside, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise DatasetError(f"{printable(beside)}: no motion features; extract them with motion") from None
    if motion.shape[:-1] != features.shape[:-1]:
        raise DatasetError(
            f"{printable(beside)}: {len(motion)} rows of motion, {len(features)} of frames; extract again"
        )
    return np.concatenate([features, motion], axis=-1)


def told_of(name: str, folder: Path) -> dict[str, Any]:
    """Return what ``NAME.json`` of ``extract`` tells of a video's features; nothing where it is absent or another's.

    Raises:
        DatasetError: it is damaged.
    """
    path = folder / f"{name}.json"
    data = read_json(path, DatasetError, _LIMITS) if is_file(path) else {}
    return data if isinstance(data, dict) and data.get("kind") == KIND else {}


@dataclass(frozen=True)
class Origin:
    """Where features are from, as far as their files tell.

    Attributes:
        backbone: what gave them, or ``""``.
        every: frames from one row to the next.
        reading: how it read pictures, as :class:`zsad.card.CardReading` has it; empty where nobody says so.
    """

    backbone: str = ""
    every: int = EVERY
    reading: Mapping[str, Any] = field(default_factory=dict)


def common(names: Iterable[str], folder: Path) -> Origin:
    """Return where the features of all videos are from.

    Args:
        names: of videos, as their files are called.
        folder: of the features.

    Raises:
        DatasetError: two videos differ in one of :data:`ALIKE`.
    """
    first: tuple[str, dict[str, Any]] = ("", {})
    for name in dict.fromkeys(names):
        told = told_of(name, folder)
        if told and not first[1]:
            first = name, told
        for key in ALIKE if told else ():
            mine, other = told.get(key), first[1].get(key)
            if json.dumps(mine) != json.dumps(other):
                raise DatasetError(f"{printable(folder)}: {printable(first[0])} and {printable(name)} differ in {key}, "
                                   f"{_brief(other)} and {_brief(mine)}; extract all videos alike")  # fmt: skip
    backbone, every, reading = (first[1].get(key) for key in ("backbone", "stride", "reading"))
    return Origin(
        backbone if isinstance(backbone, str) else "",
        every if isinstance(every, int) and not isinstance(every, bool) and every > 0 else EVERY,
        reading if isinstance(reading, dict) else {},
    )


def _brief(value: object) -> str:
    return shown(value if isinstance(value, int | None) else str(value)[:40])
