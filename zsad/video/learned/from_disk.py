"""A learned model on features that ``zsad video extract`` has stored: no frame of the video is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from zsad.errors import DatasetError, InputError
from zsad.outside import printable, shown
from zsad.video.extraction import read_card
from zsad.video.learned.card import VideoCard
from zsad.video.learned.scoring import Network, Scores, score_features, series_of
from zsad.video.learned.stored import features_of, read_array
from zsad.video.series import ScoreSeries
from zsad.video.source import video_name


def score_stored(network: Network, folder: Path, source: Path, model: str = "") -> ScoreSeries:
    """Score a video by its stored features; scores of crops are averaged.

    Args:
        network: the model.
        folder: of the features.
        source: the video.
        model: which one the model is, for people.

    Raises:
        InputError: there are none, they are of another file, or not what the model reads.
    """
    name = video_name(source)
    place = folder / f"{name}.json"
    told, card = read_card(place), network.card
    _check(told, card, source, printable(place))
    try:
        each = [score_features(network, read_array(path, card), printable(path)) for path in features_of(name, folder)]
    except DatasetError as error:
        raise InputError(str(error)) from None
    timestamps = np.asarray(told["timestamps"], np.float64)
    if any(not np.array_equal(one.rows, each[0].rows) for one in each) or each[0].rows[-1] >= len(timestamps):
        raise InputError(f"{printable(place)}: its arrays have not as many rows as it says; extract it again")
    scores = Scores(
        np.mean([one.values for one in each], axis=0), np.mean([one.classes for one in each], axis=0), each[0].rows
    )
    return series_of(
        scores, card, np.arange(len(timestamps)) * card.every, timestamps, told["frames"], float(told["fps"]),
        model=model, fault=printable(str(told.get("fault") or "it broke off")) if told.get("partial") else "",
    )  # fmt: skip


def _check(told: dict[str, Any], card: VideoCard, source: Path, where: str) -> None:
    """Refuse features that are not what a model reads, or of another file."""
    kinds = {"frames": int, "fps": int | float, "timestamps": list}
    odd = next((key for key, kind in kinds.items() if not isinstance(told.get(key), kind)), None)
    if odd is not None:
        raise InputError(f"{where}: does not say {odd}; extract it again")
    reads = {"backbone": card.backbone or told.get("backbone"), "stride": card.every}
    for key, wanted in reads.items():
        if told.get(key) != wanted:
            raise InputError(f"{where}: features with {key} {shown(told.get(key))}, the model reads {shown(wanted)}; "
                             "extract it as the model reads it")  # fmt: skip
    odd = card.read_otherwise(told["reading"]) if isinstance(told.get("reading"), dict) else ""
    if odd:
        raise InputError(f"{where}: {odd}; extract it as the model reads it")
    size = told.get("source_bytes")
    if size and source.is_file() and size != source.stat().st_size:
        raise InputError(f"{where}: features of another file than {printable(source)}; extract it again")
