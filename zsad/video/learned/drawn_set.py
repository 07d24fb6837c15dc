"""Drawn videos as a data set on disk: features as ``zsad video extract`` leaves them, lists, frame labels, clicks.

A folder gets ``NAME__0.npy`` and ``NAME.json`` of every video, ``train.csv`` and ``test.csv`` (``video,label``, as
``zsad video train --train csv:FILE`` reads them), ``labels.csv`` of the test videos (as ``zsad video eval csv:FILE``
does) and ``clicks.csv`` (one frame of every event of the training videos, for ``--clicks``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zsad.files import write_whole
from zsad.video.extraction import FORMAT, KIND
from zsad.video.learned.drawn import NORMAL, Drawing, Drawn, draw, world_of


@dataclass(frozen=True)
class DrawnSet:
    """What was drawn, by part.

    Attributes:
        train: videos to learn from.
        test: videos kept aside.
    """

    train: Sequence[Drawn]
    test: Sequence[Drawn]


def draw_set(
    texts: Mapping[str, NDArray[np.floating]],
    drawing: Drawing,
    train: tuple[int, int],
    test: tuple[int, int],
    *,
    known: Sequence[str] = (),
) -> DrawnSet:
    """Draw both parts of a set.

    Args:
        texts: text features by class name, ``normal`` among them.
        drawing: settings.
        train: normal and abnormal videos to learn from.
        test: those kept aside.
        known: classes of the training videos; by default all. The test part has every class.
    """
    world = world_of(texts, drawing)
    return DrawnSet(list(draw(world, drawing, 0, *train, known)), list(draw(world, drawing, 1, *test)))


def write_set(folder: Path, drawn: DrawnSet, drawing: Drawing, backbone: str = "") -> Path:
    """Write a set; what stands there by the same names is replaced.

    Args:
        folder: is made.
        drawn: the set.
        drawing: what it was drawn by, which the files say.
        backbone: whose text features the classes are tied to.

    Returns:
        The folder.

    Raises:
        OutputError: no space, or not allowed to write.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for video in (*drawn.train, *drawn.test):
        buffer = BytesIO()
        np.save(buffer, video.features, allow_pickle=False)
        write_whole(folder / f"{video.name}__0.npy", buffer.getbuffer())
        write_whole(folder / f"{video.name}.json", f"{json.dumps(_card(video, drawing, backbone))}\n".encode())
    for part, videos in (("train", drawn.train), ("test", drawn.test)):
        _write_rows(folder / f"{part}.csv", "video,label", [f"{video.name},{video.label}" for video in videos])
    labels = []
    for video in drawn.test:
        spans = [(start * video.every, end * video.every) for start, end in video.spans]
        labels += [f"{video.name},{start},{end},{video.label},{video.frames}" for start, end in spans]
        labels += [] if spans else [f"{video.name},,,{NORMAL},{video.frames}"]
    _write_rows(folder / "labels.csv", "name,start,end,label,frames", labels)
    clicks = [f"{video.name},{click}" for video in drawn.train for click in clicks_of(video, drawing.seed)]
    _write_rows(folder / "clicks.csv", "video,frame", clicks)
    return folder


def clicks_of(video: Drawn, seed: int) -> list[int]:
    """Return a frame inside every event, drawn; what a person would click on."""
    rng = np.random.default_rng([seed, 2, *video.name.encode()])
    return [int(rng.integers(start * video.every, end * video.every)) for start, end in video.spans]


def _write_rows(path: Path, header: str, rows: Sequence[str]) -> None:
    write_whole(path, "".join(f"{row}\n" for row in (header, *rows)).encode())


def _card(video: Drawn, drawing: Drawing, backbone: str) -> dict[str, object]:
    """Return the keys of an extraction's file; what was never a video has no source."""
    rows, width = len(video.features), video.features.shape[-1]
    return {
        "kind": KIND, "format": FORMAT, "complete": True, "video": video.name, "backbone": backbone,
        "weights_hash": "", "stride": video.every, "crops": 1, "tokens": drawing.tokens or None, "motion": False,
        "preprocess": {}, "reading": {"drawn": asdict(drawing)}, "source_bytes": 0, "fps": drawing.fps,
        "frames": video.frames, "rows": rows, "width": width,
        "timestamps": [round(row * video.every / drawing.fps, 6) for row in range(rows)],
        "files": [f"{video.name}__0.npy"], "partial": False, "fault": "",
    }  # fmt: skip
