"""Rows of features on disk that belong to the positions of a scored video: what the refiner ``retrieval`` compares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsad.errors import InputError
from zsad.outside import printable
from zsad.video.extraction import read_card
from zsad.video.scoring import Features
from zsad.video.series import ScoreSeries


def stored_rows(folder: Path, name: str) -> Features:
    """Read the features of a video.

    Args:
        folder: what `zsad video extract` has written.
        name: of the video.

    Returns:
        Given scores of the video: ``(P, D)`` in the file's dtype, for each position the row in whose frames it lies;
        tokens and crops are averaged. Scores of a video of another length are an InputError.

    Raises:
        InputError: there are none, or they can't be read.
    """
    card = read_card(folder / f"{name}.json")
    stride, frames = card.get("stride"), card.get("frames")
    where = printable(folder / f"{name}.json")
    if not isinstance(stride, int) or not isinstance(frames, int) or stride < 1:
        raise InputError(f"{where}: does not say of which frames its features are; extract them again")
    crops = [path for path in (folder / f"{name}__{crop}.npy" for crop in range(10)) if path.is_file()]
    rows = [_read(path, -(-frames // stride)) for path in crops]
    if not rows:
        raise InputError(f"{where}: {printable(name)}__0.npy, which it speaks of, is not there; extract it again")
    mean: NDArray[Any] = np.mean(rows, axis=0)

    def of(series: ScoreSeries) -> NDArray[Any]:
        if frames != series.n_frames:
            raise InputError(
                f"{where}: features of {frames} frames, but the video has {series.n_frames}; extract it again"
            )
        found: NDArray[Any] = mean[series.positions // stride]
        return found

    return of


def _read(path: Path, count: int) -> NDArray[Any]:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise InputError(f"{printable(path)}: can't be read as features; extract them again") from None
    if array.ndim not in (2, 3) or len(array) != count or array.dtype.kind != "f" or not np.isfinite(array).all():
        raise InputError(f"{printable(path)}: is no finite array of {count} rows of features; extract them again")
    found: NDArray[Any] = array if array.ndim == 2 else array.mean(axis=1)
    return found
