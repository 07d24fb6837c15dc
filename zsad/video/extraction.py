"""Features of many videos on disk: ``NAME__C.npy`` for each crop, and ``NAME.json``, which says how they came about.

The arrays are what VadCLIP, UR-DMU and their successors read: float32 ``(T, D)``, or ``(T, Q, D)`` of tokens.
``NAME__motion.npy`` holds those of motion frames. ``NAME.json`` has these keys::

    {"kind": "features of a video, by zsad", "format": 1, "complete": true, "video": "NAME", "source_bytes": 123456,
     "backbone": "ViT-B-16/openai", "weights_hash": "64 hex digits", "stride": 16, "crops": 10, "tokens": null,
     "motion": false, "reading": {...},
     "preprocess": {"image_size": 224, "mean": [...], "std": [...], "resize": "bicubic", "view": "..."},
     "fps": 30.0, "frames": 3000, "rows": 188, "width": 512, "timestamps": [0.0, 0.533, ...],
     "files": ["NAME__0.npy", ...], "partial": false, "fault": ""}
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zsad.documents import Limits, read_json
from zsad.errors import InputError, OccupiedError
from zsad.files import write_whole
from zsad.outputs import check_folder, check_output, holds
from zsad.outside import printable, shown
from zsad.types import FloatArray
from zsad.video.crops import CROP, size_before
from zsad.video.features import MOTION, Choice, VideoFeatures, read_features
from zsad.video.finding import video_names
from zsad.video.motion_frames import SIDE
from zsad.video.source import open_video

if TYPE_CHECKING:
    from zsad.detector.base import Detector

KIND = "features of a video, by zsad"
FORMAT = 1
_LIMITS = Limits(size=1 << 28, entries=20_000_000)
OnVideo = Callable[[str, int, int | None], None]
"""Told of progress: a video's name, its frames read, and its frames in all, or None where nobody knows."""


@dataclass(frozen=True)
class Extracted:
    """What became of one video.

    Attributes:
        source: its path.
        name: what its files are called.
        shape: of each array; empty where there is none.
        files: how many arrays there are.
        earlier: it was done before.
        fault: why there is nothing, or why it ends early; else ``""``.
    """

    source: Path
    name: str
    shape: tuple[int, ...] = ()
    files: int = 0
    earlier: bool = False
    fault: str = ""


def extract(
    videos: Sequence[Path], detector: Detector, out: Path, choice: Choice, on_video: OnVideo = lambda name, n, of: None
) -> Iterator[Extracted]:
    """Write the features of videos, one after another; those that are done with the same settings are left as they are.

    Args:
        videos: what :func:`zsad.video.find_videos` lists.
        detector: what :func:`zsad.video.towers.feature_detector` opens.
        out: folder for the files.
        choice: what is taken of each video.
        on_video: told of progress.

    Yields:
        One entry per video, in order; a video that can't be read is one with its fault.

    Raises:
        OccupiedError: features with other settings, or what zsad did not write, stand in the way; nothing is done then.
        UsageError: two videos have the same name.
        OutputError: no space, or not allowed to write.
    """
    names = video_names(videos)
    check_folder(out, "choose another --out")
    settings = [_settings(video, detector, choice) for video in videos]
    done = [_earlier(out, name, wanted) for name, wanted in zip(names, settings, strict=True)]

    def each() -> Iterator[Extracted]:
        for video, name, wanted, earlier in zip(videos, names, settings, done, strict=True):
            yield earlier or _extract(video, name, detector, out, choice, wanted, on_video)

    return each()


def _extract(
    source: Path, name: str, detector: Detector, out: Path, choice: Choice, settings: dict[str, Any], on_video: OnVideo
) -> Extracted:
    try:
        with open_video(source) as video:
            found = read_features(video, detector, choice, lambda n, of: on_video(name, n, of))
    except InputError as error:
        return Extracted(source, name, fault=str(error))
    files = {f"{name}__{key}.npy": array for key, array in found.arrays.items()}
    card = _card(name, settings, found, list(files))
    # Says first what it is about to write: what a kill leaves is known as ours.
    _write_card(out / f"{name}.json", {**card, "complete": False})
    for file, array in files.items():
        write_whole(out / file, _npy(array))
    _write_card(out / f"{name}.json", card)
    return Extracted(source, name, next(iter(files.values())).shape, len(files), fault=_fault(source, found.fault))


def _settings(source: Path, detector: Detector, choice: Choice) -> dict[str, Any]:
    """Return what two extractions must share to be the same."""
    card = detector.card
    side = card.input.image_size
    width, height = size_before(side)
    whole = f"whole frame, squeezed to {side} x {side}"
    ten = f"frame squeezed to {width} x {height}, ten crops of {side} x {side} (of a network of {CROP}: 340 x 256)"
    settings: dict[str, Any] = {
        "backbone": card.provenance.backbone,
        "weights_hash": detector.fingerprint,
        "stride": choice.every,
        "crops": choice.crops,
        "tokens": choice.tokens,
        "motion": choice.motion,
        "preprocess": {**asdict(card.input), "resize": "bicubic", "view": whole if choice.crops == 1 else ten},
        "reading": asdict(card.reading),
        "source_bytes": source.stat().st_size if source.is_file() else 0,
    }
    if choice.motion:
        settings["preprocess"]["motion"] = f"whole frame, squeezed to {SIDE} x {SIDE}, black where nothing moves"
    return settings


def _earlier(out: Path, name: str, wanted: dict[str, Any]) -> Extracted | None:
    """Return what is there already, or None; refuse what must not be replaced."""
    place = out / f"{name}.json"
    if not place.exists():
        for file in [f"{name}__{key}.npy" for key in (*range(wanted["crops"]), MOTION)]:
            check_output(out / file, lambda path: False, "choose another --out")
        return None
    check_output(place, holds(KIND.encode()), "choose another --out")
    card = read_json(place, OccupiedError, _LIMITS)
    if not isinstance(card, dict) or card.get("kind") != KIND or card.get("format") != FORMAT:
        raise OccupiedError(f"{printable(place)}: features of another version of zsad; choose another --out")
    for key, value in wanted.items():
        if json.dumps(card.get(key)) != json.dumps(value):  # what is a tuple here is a list in the file
            was, now = (_brief(key, side) for side in (card.get(key), value))
            raise OccupiedError(f"{printable(place)}: has features with another {key}, {was} where this run has {now}; "
                                "choose another --out")  # fmt: skip
    files = card.get("files")
    if card.get("complete") is not True or not isinstance(files, list) or not _all_there(out, name, files):
        return None
    shape = np.load(out / files[0], mmap_mode="r", allow_pickle=False).shape
    return Extracted(Path(name), name, shape, len(files), earlier=True, fault=str(card.get("fault", "")))


def _all_there(out: Path, name: str, files: Sequence[object]) -> bool:
    """Whether the arrays stand where they should; a name from the file is used only if it is one of ours."""
    known = {f"{name}__{key}.npy" for key in (*range(10), MOTION)}
    return bool(files) and all(isinstance(file, str) and file in known and (out / file).is_file() for file in files)


def _card(name: str, settings: dict[str, Any], found: VideoFeatures, files: list[str]) -> dict[str, Any]:
    first = next(iter(found.arrays.values()))
    return {
        "kind": KIND,
        "format": FORMAT,
        "complete": True,
        "video": name,
        **settings,
        "fps": found.fps,
        "frames": found.frames,
        "rows": len(first),
        "width": first.shape[-1],
        "timestamps": [round(float(time), 6) for time in found.timestamps],
        "files": files,
        "partial": bool(found.fault),
        "fault": found.fault,
    }


def _write_card(path: Path, card: dict[str, Any]) -> None:
    write_whole(path, f"{json.dumps(card, indent=1, allow_nan=False)}\n".encode())


def _npy(array: FloatArray) -> memoryview:
    buffer = BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getbuffer()


def _brief(key: str, value: object) -> str:
    return shown(str(value)[:12] if key == "weights_hash" else value)


def _fault(source: Path, fault: str) -> str:
    return f"{printable(source)}: {fault}" if fault else ""


def read_card(path: str | Path) -> dict[str, Any]:
    """Read what stands beside features.

    Args:
        path: ``NAME.json``.

    Raises:
        InputError: it can't be read, or is something else.
    """
    card = read_json(Path(path), InputError, _LIMITS)
    if not isinstance(card, dict) or card.get("kind") != KIND:
        raise InputError(f"{printable(path)}: does not say how features of a video came about")
    return card
